"""What a benchmark hands back: its rows, and everything that is needed to measure them again."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infinidoc.files import write_json
from infinidoc.model.adapters import Adapter
from infinidoc.model.base import BaseModel

Result = dict[str, Any]


def identity(benchmark: str, base: BaseModel, adapter: Adapter | None, **settings: Any) -> dict[str, Any]:
    """What the numbers depend on: model, adapter, kernel, the program's version, and the benchmark's settings."""
    return {
        "benchmark": benchmark,
        "model": {"name": base.name, "digest": base.digest},
        "adapter": {"name": adapter.card.name, "digest": adapter.digest} if adapter else None,
        "kernel": base.model.config.infini_kernel,
        "precision": base.precision,
        "version": version("infinidoc"),
        **settings,
    }


def surroundings() -> dict[str, Any]:
    """Where and how a result came about."""
    libraries = ("torch", "transformers", "numpy")
    return {
        "command": " ".join(["infinidoc", *sys.argv[1:]]),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
    }


def write(directory: Path, result: Result) -> Path:
    """Puts a result into DIRECTORY/BENCHMARK.json, which is replaced as a whole or not at all."""
    file = directory / f"{result['benchmark']}.json"
    write_json(file, result)
    return file
