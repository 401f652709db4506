"""The kernels' writes, one token after the other, as the equations say them: the oracle of the tests."""

import torch
from torch import Tensor

from infinidoc.model.kernels.least_squares import LeastSquares
from infinidoc.model.kernels.linear import EPSILON, Delta, Linear
from infinidoc.model.kernels.state import ACCUMULATOR, State


def write(
    kernel: Linear | LeastSquares, state: State, keys: Tensor, values: Tensor, weights: Tensor, mask: Tensor
) -> State:
    """`kernel.write`. keys (B, H, N, D) position-free, values (B, H, N, V), weights (B, H, N), mask (B, N)."""
    association, normaliser = state.association.clone(), state.normaliser.clone()
    for b, h, n in torch.cartesian_prod(*(torch.arange(size) for size in keys.shape[:3])).tolist():
        feature = kernel.features(keys[b, h, n]).to(ACCUMULATOR)
        value = values[b, h, n].to(ACCUMULATOR)
        if isinstance(kernel, Delta):  # less what earlier segments left
            value = value - feature @ state.association[b, h] / (feature @ state.normaliser[b, h] + EPSILON)
        weight = weights[b, h, n] * mask[b, n]
        association[b, h] += weight * torch.outer(feature, value)
        normaliser[b, h] += weight * (torch.outer(feature, feature) if isinstance(kernel, LeastSquares) else feature)
    return State(association, normaliser, state.tokens + mask.sum(-1))
