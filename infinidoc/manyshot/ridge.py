"""Kernel ridge regression: the least-squares memory over examples, with keys in and labels out.

The memory of `model.kernels.least_squares` holds the best linear map from keys to values. Here the features are those
of the kernel k(x, y) = exp(γ(x·y − 1)) between unit keys: all products of key coordinates, infinitely many. So the
optimum is kept in its dual form, a coefficient per example and label: A = (K + λI)⁻¹Y, read as k(q, ·)A. It is exact:
the order of examples doesn't matter, and one that is taken out leaves nothing behind.
Saunders, Gammerman and Vovk, Ridge Regression Learning Algorithm in Dual Variables, ICML 1998.
"""

import torch
from torch import Tensor

GAMMA = 1.0
RIDGE = 0.03
# Examples that are solved for together: 10,240 take 420 MB and some 20 seconds. More are split evenly and the solutions
# averaged, which costs little accuracy (Zhang, Duchi and Wainwright, arXiv 1305.5029).
BLOCK = 10_240
SAMPLE = 4_096  # examples for which is computed what they would get if they weren't there
KEYS = 16_384  # that are made float32 at once


def kernel(queries: Tensor, keys: Tensor) -> Tensor:
    """k(q, x) of float32 unit vectors (B, D) and (N, D): (B, N), at most 1."""
    return (queries @ keys.T).sub_(1).mul_(GAMMA).exp_()


def solve(keys: Tensor, targets: Tensor, block: int = BLOCK, sample: int = SAMPLE) -> tuple[Tensor, Tensor]:
    """Fits examples: keys (N, D) unit vectors in any precision, targets (N, C) float32.

    Returns the coefficients (N, C), and for the last S = min(N, sample) examples what each would get if it weren't
    there (S, C). In the block that has seen it that is y − a / m, with a its coefficients and m its entry in the
    diagonal of (K + λI)⁻¹ = L⁻ᵀL⁻¹; for the last S, m needs only the last S × S corner of L.
    """
    count = -(-len(keys) // block)
    size = -(-len(keys) // count)
    coefficients, held = [], min(len(keys), sample)
    assert held <= len(keys) - (count - 1) * size, "the sample belongs to the last block"
    left_out = torch.zeros(held, targets.shape[1])
    for first in range(0, len(keys), size):
        own, y = keys[first : first + size].float(), targets[first : first + size]
        regularised = kernel(own, own)
        regularised.diagonal().add_(RIDGE)
        factor = torch.linalg.cholesky(regularised)
        solution = torch.cholesky_solve(y, factor)
        coefficients.append(solution / count)
        if first + size < len(keys):
            left_out += read(keys[-held:].float(), own, solution) / count
        else:
            corner = torch.linalg.solve_triangular(factor[-held:, -held:], torch.eye(held), upper=False)
            left_out += (y[-held:] - solution[-held:] / corner.square().sum(0)[:, None]) / count
    return torch.cat(coefficients), left_out


def similarities(queries: Tensor, keys: Tensor) -> Tensor:
    """k(q, x) of queries (B, D) and keys (N, D) in any precision: (B, N)."""
    return torch.cat([kernel(queries, part.float()) for part in keys.split(KEYS)], 1)


def read(queries: Tensor, keys: Tensor, coefficients: Tensor) -> Tensor:
    """What queries (B, D) get of each label (B, C)."""
    return similarities(queries, keys) @ coefficients
