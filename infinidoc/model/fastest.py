"""Which of float32 and bfloat16 a machine is faster in: measured once, in about a second, and remembered.

What a processor says of itself isn't enough: some have instructions for bfloat16 that nothing uses, others win by it
without any. So one decoder layer of the base model's shape reads in both, in turns. int8 is for whoever asks for it:
it rounds too much to be anybody's default (docs/measurements.md).
"""

import json
import os
import platform
import statistics
import time
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infinidoc.errors import InfinidocError
from infinidoc.files import write_json
from infinidoc.home import home
from infinidoc.model.precision import BF16, FP32, dtype_of, has_bf16, keep_few_shapes

if TYPE_CHECKING:  # torch takes a second to import
    import torch

MEMO = Path("models", "precision.json")  # in the home
MARGIN = 1.1  # what rounds more has to be so many times as fast
ROUNDS, SECONDS, LEAST = 9, 1.0, 3  # so many rounds, or those of a second, but three
TOKENS, PARAMETERS = 256, 1 << 30  # a layer reads so many tokens, fewer the larger it is: as many products for all
SETTINGS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE")  # of instructions


@dataclass(frozen=True)
class Choice:
    """A precision, and why: how many times as fast a layer of the base model reads in bf16 as in fp32."""

    precision: str
    ratio: float

    @property
    def reason(self) -> str:
        return f"in bf16 a layer reads {self.ratio:.2f} times as fast as in fp32 on this machine"


def fastest(path: Path, digest: str, device: "torch.device") -> str:
    """fp32 or bf16, for a base model (its directory and digest) on a device; on a processor, what is remembered, or
    was measured just now.

    A graphics card's own word is taken.
    """
    if device.type == "cpu":
        return _on_cpu(path, _key(digest), home()).precision
    return BF16 if has_bf16(device) else FP32


@cache
def _on_cpu(path: Path, key: str, place: Path) -> Choice:
    if found := _remembered(key):
        return found
    try:
        ratio = measured(json.loads((path / "config.json").read_bytes()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # loading it will say what is wrong
        return Choice(FP32, 0)
    found = Choice(BF16 if ratio >= MARGIN else FP32, round(ratio, 3))
    with suppress(InfinidocError):  # a home that can't be written to costs every process a second
        write_json(place / MEMO, {**_all(), key: asdict(found)})
    return found


def remembered(digest: str) -> Choice | None:
    """What was measured on this processor, with this torch, for the base model of that digest. Imports no torch."""
    return _remembered(_key(digest))


def _remembered(key: str) -> Choice | None:
    with suppress(LookupError, TypeError):
        return Choice(**_all()[key])
    return None


def measured(config: dict[str, Any]) -> float:
    """How many times as fast one layer of a model, with this config.json, reads in bf16 as in fp32.

    The median over rounds, each of which has both. Processor seconds of one thread: what else the machine does changes
    them little, where several threads would wait for each other, and count that.
    """
    import torch

    from infinidoc.model.decoder import Config, Decoder

    keep_few_shapes()
    shape = {"rope_theta": 10_000.0, "rms_norm_eps": 1e-6} | config
    one = Config.read(shape | {"num_hidden_layers": 1, "vocab_size": 1, "model_type": "llama"})
    exact = Decoder(one).requires_grad_(False)
    for parameter in exact.parameters():
        parameter.fill_(0.01)
    decoders = {FP32: exact, BF16: deepcopy(exact).to(dtype_of(BF16))}
    tokens = min(TOKENS, max(32, PARAMETERS // sum(p.numel() for p in exact.parameters())))
    ids = torch.zeros(1, tokens, dtype=torch.long)

    def seconds(precision: str) -> float:
        began = time.process_time()
        decoders[precision](ids)
        return time.process_time() - began

    ratios: list[float] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            for decoder in decoders.values():
                decoder(ids)  # compiles what is compiled
            ends = time.monotonic() + SECONDS
            while len(ratios) < LEAST or (len(ratios) < ROUNDS and time.monotonic() < ends):
                ratios.append(seconds(FP32) / seconds(BF16))
    finally:
        torch.set_num_threads(threads)
    return statistics.median(ratios)


def _all() -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads((home() / MEMO).read_bytes())
        return found if isinstance(found, dict) else {}
    return {}


def _key(digest: str) -> str:
    settings = [f"{name}={os.environ[name]}" for name in SETTINGS if name in os.environ]
    return ", ".join([processor(), f"torch {version('torch')}", *settings, digest[:12]])


def processor() -> str:
    """Its model, as it calls itself."""
    with suppress(OSError), open("/proc/cpuinfo") as lines:  # Linux alone has it
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
