"""Immutable tensor files, named by the digest of their content."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from infinidoc.errors import InfinidocError
from infinidoc.files import PRIVATE
from infinidoc.files import write as write_file

SUFFIX = ".safetensors"


def write(directory: Path, kind: str, tensors: dict[str, Tensor]) -> str:
    """Puts tensors on the disk for good and returns the file's name. What has this content already is left alone.

    When it returns, the file is whole and survives a power cut; before that, no file of this name exists.
    """
    content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    name = f"{kind}-{hashlib.sha256(content).hexdigest()[:32]}{SUFFIX}"
    target = directory / name
    if target.exists():
        return name
    write_file(target, content, PRIVATE)
    return name


def read(directory: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file, memory-mapped. Raises FileNotFoundError, or InfinidocError if the file is damaged."""
    path = directory / name
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is not a dict)
    except SafetensorError as error:
        raise InfinidocError(f"{path} is damaged ({error})", "remove the collection and ingest again") from error


def nbytes(tensors: dict[str, Tensor]) -> int:
    return sum(tensor.numel() * torch.empty((), dtype=tensor.dtype).element_size() for tensor in tensors.values())
