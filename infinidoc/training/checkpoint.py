"""A run's checkpoint: parameters, the optimiser's moments, and how far it is, in one file that is replaced whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from infinidoc.errors import InfinidocError
from infinidoc.files import replacing


@dataclass(frozen=True)
class Reached:
    """How far a run is; `more` is what it carries along beside its parameters."""

    step: int
    seconds: float
    more: dict[str, Tensor] = field(default_factory=dict)


def save(
    file: Path,
    settings: Mapping[str, Any],
    reached: Reached,
    parameters: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> None:
    tensors = {f"parameter.{name}": parameter.detach() for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{name}.{key}"] = torch.as_tensor(value)
    tensors |= reached.more
    metadata = {"settings": json.dumps(settings), "step": str(reached.step), "seconds": str(reached.seconds)}
    with replacing(file) as temporary:
        save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, temporary, metadata)


@torch.no_grad()
def resume(
    file: Path,
    settings: Mapping[str, Any],
    parameters: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> Reached | None:
    """Loads a checkpoint, if there is one. Raises InfinidocError if it is from a run with other settings."""
    if not file.exists():
        return None
    with safe_open(file, "pt", device=str(device)) as stored:
        metadata = stored.metadata()
        if json.loads(metadata["settings"]) != settings:
            raise InfinidocError(
                f"{file.parent} holds a run with other settings", "give another directory with --out, or remove it"
            )
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (it is no mapping)
    for name, parameter in parameters.items():
        parameter.copy_(tensors.pop(f"parameter.{name}"))
        prefix = f"optimizer.{name}."
        moments = [key for key in tensors if key.startswith(prefix)]
        if moments:
            optimizer.state[parameter] = {key.removeprefix(prefix): tensors.pop(key) for key in moments}
    return Reached(int(metadata["step"]), float(metadata["seconds"]), tensors)
