"""How a compressive memory is written and read. Three kernels, one shape: `State` in, `State` out."""

from infinidoc.model.kernels.least_squares import LeastSquares
from infinidoc.model.kernels.linear import Delta, Linear
from infinidoc.model.kernels.state import ACCUMULATOR, Readout, State, pack, unpack

Kernel = Linear | LeastSquares
KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (Linear(), Delta(), LeastSquares(), LeastSquares(products=1), LeastSquares(products=2))
}

__all__ = ["ACCUMULATOR", "KERNELS", "Delta", "Kernel", "LeastSquares", "Linear", "Readout", "State", "pack", "unpack"]
