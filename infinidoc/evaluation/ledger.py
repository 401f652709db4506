"""What a benchmark has done so far, so that one that is interrupted can go on: in `INFINIDOC_HOME/bench`."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infinidoc.files import replacing, write_json
from infinidoc.home import home

if TYPE_CHECKING:
    from infinidoc.model.kernels import State


class Ledger:
    """Measured values by name, for one combination of settings. Every `put` is on the disk when it returns.

    Other settings (model, adapter, seed, number of samples, text, version) have another ledger: nothing is taken over
    that this run would have measured differently.
    """

    def __init__(self, settings: dict[str, Any]):
        identity = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:24]
        self.file = home() / "bench" / f"{settings['benchmark']}-{identity}.json"
        self.values: dict[str, Any] = {}
        with suppress(OSError, ValueError):  # there is none yet, or it is damaged: then it is measured again
            self.values = dict(json.loads(self.file.read_text(encoding="utf-8")))

    def get(self, name: str) -> Any:
        """What was measured under a name, or None."""
        return self.values.get(name)

    def put(self, name: str, value: Any) -> None:
        self.values[name] = value
        write_json(self.file, self.values)

    def checkpoint(self, name: str) -> "Checkpoint":
        return Checkpoint(self.file.with_name(f"{self.file.stem}-{name}.safetensors"))


class Checkpoint:
    """A compressive memory on its way through a long text, on the disk."""

    def __init__(self, file: Path):
        self.file = file

    def load(self) -> "tuple[int, list[State] | None]":
        """How many segments were read, and what they left; (0, None) if nothing was saved."""
        from safetensors import SafetensorError, safe_open

        from infinidoc.model.kernels import unpack

        try:
            with safe_open(self.file, "pt") as file:
                segments = int(file.metadata()["segments"])
                return segments, unpack({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118 (no dict)
        except (OSError, SafetensorError):
            return 0, None

    def save(self, segments: int, state: "list[State]") -> None:
        from safetensors.torch import save_file

        from infinidoc.model.kernels import pack

        tensors = {name: tensor.contiguous() for name, tensor in pack(state).items()}
        with replacing(self.file) as temporary:
            save_file(tensors, temporary, {"segments": str(segments)})

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)
