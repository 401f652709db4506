"""The least-squares memory: the optimum that the delta rule walks towards, kept as two plain sums.

The best linear map from features to values in the ridge sense, W = argmin Σ w ‖φW − v‖² + λ‖W‖², needs only
G = Σ w φφᵀ and C = Σ w φvᵀ: W = (G + λI)⁻¹ C. Being sums, they don't depend on order, add up across documents, and a
document can be subtracted. Related: mesa-layers (arXiv 2309.05858), recursive least squares, DeltaNet (2406.06484).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.kernels.state import ACCUMULATOR, Readout, State


class LeastSquares:
    """G ← G + Σ w φφᵀ, C ← C + Σ w φvᵀ; read φ(q)(G + λI)⁻¹C, with φ the L2-normalised vector.

    `products` ν > 0 gives the memory more room: φ is then the normalised DPFP-ν feature map of F = 2Dν dimensions
    (arXiv 2102.11174, Eq. 37): products of each rectified coordinate with its ν neighbours.
    """

    additive = True

    def __init__(self, products: int = 0):
        self.products = products
        self.name = f"least_squares_dpfp{products}" if products else "least_squares"

    def features(self, x: Tensor) -> Tensor:
        """φ, from (…, D) to (…, F)."""
        if self.products:
            rectified = torch.cat([x.relu(), (-x).relu()], -1)
            x = torch.cat([rectified * rectified.roll(shift, -1) for shift in range(1, self.products + 1)], -1)
        return F.normalize(x, dim=-1)

    def empty(self, rows: int, heads: int, key_dim: int, value_dim: int, device: torch.device) -> State:
        size = 2 * key_dim * self.products or key_dim
        return State.zeros((rows, heads, size, value_dim), (rows, heads, size, size), device)

    def write(self, state: State, keys: Tensor, values: Tensor, weights: Tensor, mask: Tensor) -> State:
        """Folds a segment in. keys (B, H, N, D) position-free, values (B, H, N, V), weights (B, H, N), mask (B, N)."""
        features = self.features(keys)
        weighted = (features * (weights * mask[:, None])[..., None]).transpose(-1, -2)
        return State(
            state.association + (weighted @ values).to(state.association),
            state.normaliser + (weighted @ features).to(state.normaliser),
            state.tokens + mask.sum(-1).to(state.tokens),
        )

    def readout(self, state: State, ridge: Tensor, dtype: torch.dtype, device: torch.device) -> Readout:
        """Solves for W once; `ridge` (H,) is λ > 0. In float64: G grows with the text, λ does not.

        A sum from which another processor's rounding of a document was subtracted may have eigenvalues below zero: they
        count as zero, which is the nearest sum that could have been written.
        """
        eye = torch.eye(state.normaliser.shape[-1], dtype=ACCUMULATOR, device=state.normaliser.device)
        ridge = ridge.to(state.normaliser)[:, None, None]
        factor, failed = torch.linalg.cholesky_ex(state.normaliser + ridge * eye)
        if failed.any():
            values, vectors = torch.linalg.eigh(state.normaliser)
            written = (vectors * values.clamp(min=0)[..., None, :]) @ vectors.mT
            factor = torch.linalg.cholesky(written + ridge * eye)
        matrix = torch.cholesky_solve(state.association, factor)
        return Readout(matrix.to(device, dtype), None, (state.tokens > 0).to(device, dtype))

    def read(self, readout: Readout, queries: Tensor) -> Tensor:
        """Queries (B, H, N, D), position-free, to what the memory holds for them (B, H, N, V)."""
        return self.features(queries) @ readout.matrix
