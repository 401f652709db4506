"""Immutable tensor files, named by the digest of their content."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from infinidoc.errors import Damaged, InfinidocError, Unwritable
from infinidoc.files import PRIVATE, cant_write, tensor_header
from infinidoc.files import write as write_file

if TYPE_CHECKING:  # torch takes seconds to import: only what touches a tensor does
    from torch import Tensor

SUFFIX = ".safetensors"


def write(directory: Path, kind: str, tensors: dict[str, Tensor]) -> str:
    """Puts tensors on the disk for good and returns the file's name. What has this content already is left alone.

    When it returns, the file is whole and survives a power cut; before that, no file of this name exists.
    """
    from safetensors.torch import save

    content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    name = f"{kind}-{hashlib.sha256(content).hexdigest()[:32]}{SUFFIX}"
    target = directory / name
    if target.exists():
        return name
    try:
        write_file(target, content, PRIVATE)
    except Unwritable as error:  # a digest says nothing to people, and is another one when they try again
        if isinstance(error.__cause__, OSError):
            raise cant_write(directory, error.__cause__) from error.__cause__
        raise
    return name


def read(directory: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file, memory-mapped. Raises FileNotFoundError, Damaged, or InfinidocError if
    it can't be read."""
    path = directory / name
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is not a dict)
    except SafetensorError as error:
        raise _damaged(path, error) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def shapes(directory: Path, name: str) -> dict[str, list[int]]:
    """The shapes of a file's tensors, none of which is read. Raises what `read` raises."""
    return {key: tensor["shape"] for key, tensor in _tensors(directory / name).items()}


def nbytes(directory: Path, name: str) -> int:
    """The bytes of a file's tensors. Raises what `read` raises."""
    return max((tensor["data_offsets"][1] for tensor in _tensors(directory / name).values()), default=0)


def _tensors(path: Path) -> dict[str, Any]:
    try:
        return tensor_header(path)[0]
    except ValueError as error:
        raise _damaged(path, error) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> InfinidocError:
    return InfinidocError(f"{path} can't be read ({(error.strerror or str(error)).lower()})")


def _damaged(path: Path, error: Exception) -> Damaged:
    return Damaged(f"{path} is damaged ({error})")
