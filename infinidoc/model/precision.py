"""In which precision a model computes: float32, which every processor does well, bfloat16, where it is faster, or int8,
which is for reading documents only: what `quantization.py` rounds, with everything else in the faster of those two."""

import os
from typing import TYPE_CHECKING

from infinidoc.errors import InfinidocError

if TYPE_CHECKING:  # torch takes seconds to import
    import torch

FP32, BF16, INT8 = PRECISIONS = ("fp32", "bf16", "int8")
# oneDNN and PyTorch each read one of these before their first product.
CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
SHAPES = 64  # of products, more than there are in a batch
DTYPES = {FP32: "float32", BF16: "bfloat16"}


def keep_few_shapes() -> None:
    """Bounds what is kept of products in bf16 on a CPU, each compiled for its shape: by default 1,024 of them, twice,
    which is hundreds of megabytes for batches of a width that hardly comes again. To be called before the first one."""
    for name in CACHES:
        os.environ.setdefault(name, str(SHAPES))


def wanted() -> str | None:
    """What `INFINIDOC_PRECISION` says. Raises InfinidocError for a precision that there isn't."""
    name = os.environ.get("INFINIDOC_PRECISION")
    return checked(name, "INFINIDOC_PRECISION") if name else None


def checked(name: str, what: str = "the precision") -> str:
    """The name itself. Raises InfinidocError for a precision that there isn't."""
    if name not in PRECISIONS:
        raise InfinidocError(f"{what} is {name}", f"choose {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}")
    return name


def dtype_of(name: str) -> "torch.dtype":
    import torch

    name = fastest(torch.device("cpu")) if name == INT8 else name
    dtype: torch.dtype = getattr(torch, DTYPES[name])
    return dtype


def name_of(dtype: "torch.dtype") -> str:
    return next(name for name, value in DTYPES.items() if value == str(dtype).removeprefix("torch."))


def fastest(device: "torch.device") -> str:
    """bf16 on a GPU or a CPU that has instructions for it, else fp32: without them bf16 is several times slower."""
    import torch

    if device.type == "cuda":
        return BF16 if torch.cuda.is_bf16_supported(False) else FP32
    if device.type != "cpu":
        return FP32
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # nothing public says it yet
    return BF16 if any(getattr(torch.cpu, check, bool)() for check in checks) else FP32
