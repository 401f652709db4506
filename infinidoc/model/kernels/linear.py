"""The paper's linear memory, and its delta rule (arXiv 2404.07143, Eq. 3 to 5)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.kernels.state import Readout, State

# Keeps σ(q)z away from 0/0; σ = ELU + 1 is positive, so only a memory with next to nothing in it feels this.
EPSILON = 1e-6


class Linear:
    """M ← M + σ(K)ᵀV, z ← z + Σσ(K); read σ(q)M / σ(q)z, with σ = ELU + 1 (Eq. 3, 4).

    Every write may carry a weight per token; with weights of 1 it is the paper's memory.
    """

    name = "linear"
    additive = True

    def features(self, x: Tensor) -> Tensor:
        """σ, from (…, D) to (…, F = D)."""
        return F.elu(x) + 1

    def empty(self, rows: int, heads: int, key_dim: int, value_dim: int, device: torch.device) -> State:
        return State.zeros((rows, heads, key_dim, value_dim), (rows, heads, key_dim), device)

    def write(self, state: State, keys: Tensor, values: Tensor, weights: Tensor, mask: Tensor) -> State:
        """Folds a segment in. keys (B, H, N, D) position-free, values (B, H, N, V), weights (B, H, N), mask (B, N)."""
        features = self.features(keys)
        weighted = features * (weights * mask[:, None])[..., None]
        written = self.novelty(state, features, values)
        return State(
            state.association + (weighted.transpose(-1, -2) @ written).to(state.association),
            state.normaliser + weighted.sum(-2).to(state.normaliser),
            state.tokens + mask.sum(-1).to(state.tokens),
        )

    def novelty(self, state: State, features: Tensor, values: Tensor) -> Tensor:
        """What is written for each token: here, all of its value."""
        return values

    def readout(self, state: State, ridge: Tensor, dtype: torch.dtype, device: torch.device) -> Readout:
        matrix, normaliser = state.association.to(device, dtype), state.normaliser.to(device, dtype)
        return Readout(matrix, normaliser, (state.tokens > 0).to(device, dtype))

    def read(self, readout: Readout, queries: Tensor) -> Tensor:
        """Queries (B, H, N, D), position-free, to what the memory holds for them (B, H, N, V)."""
        assert readout.normaliser is not None
        features = self.features(queries)
        return (features @ readout.matrix) / (features @ readout.normaliser[..., None] + EPSILON)


class Delta(Linear):
    """Linear + Delta: M ← M + σ(K)ᵀ(V − σ(K)M / σ(K)z), z as in `Linear` (Eq. 5).

    A token writes only what the memory did not already say. What it said is what earlier *segments* left, as in the
    paper, so the state depends on the order and the bounds of segments: states don't add up, nothing can be taken out.
    """

    name = "delta"
    additive = False

    def novelty(self, state: State, features: Tensor, values: Tensor) -> Tensor:
        association, normaliser = state.association.to(features), state.normaliser.to(features)
        known = (features @ association) / (features @ normaliser[..., None] + EPSILON)
        return values - known
