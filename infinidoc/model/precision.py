"""In which precision a model computes: float32, which every processor does well, bfloat16, where it is faster, or int8,
which is for reading documents only: what `quantization.py` rounds, with everything else in bfloat16 where the processor
has instructions for it."""

import os
from typing import TYPE_CHECKING

from infinidoc.errors import InfinidocError

if TYPE_CHECKING:  # torch takes seconds to import
    import torch

AUTO = "auto"  # what this machine is faster in: `fastest.py`
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
    """What `INFINIDOC_PRECISION` says; None for "auto". Raises InfinidocError for a precision that there isn't."""
    name = os.environ.get("INFINIDOC_PRECISION", AUTO)
    return checked(name, "INFINIDOC_PRECISION") if name not in (AUTO, "") else None


def checked(name: str, what: str = "the precision") -> str:
    """The name itself. Raises InfinidocError for a precision that there isn't."""
    if name not in PRECISIONS:
        raise InfinidocError(f"{what} is {name}", f"choose {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}")
    return name


def dtype_of(name: str) -> "torch.dtype":
    import torch

    if name == INT8:  # not measured: the same collection goes on in the same precision
        name = BF16 if has_bf16(torch.device("cpu")) else FP32
    dtype: torch.dtype = getattr(torch, DTYPES[name])
    return dtype


def name_of(dtype: "torch.dtype") -> str:
    return next(name for name, value in DTYPES.items() if value == str(dtype).removeprefix("torch."))


def has_bf16(device: "torch.device") -> bool:
    """Whether a device has instructions for bf16, by what it says of itself: see `fastest.py` for processors."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(False))
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # nothing public says it yet
    return device.type == "cpu" and any(getattr(torch.cpu, check, bool)() for check in checks)
