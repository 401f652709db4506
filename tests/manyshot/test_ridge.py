"""Kernel ridge regression against its definition."""

import pytest
import torch
import torch.nn.functional as F

from infinidoc.manyshot.ridge import GAMMA, RIDGE, read, solve


def some(count, dimensions=6, labels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    keys = F.normalize(torch.randn(count, dimensions, generator=generator), dim=-1)
    return keys, F.one_hot(torch.randint(labels, (count,), generator=generator), labels).float()


def naive(keys, targets, queries):
    """Solves in float64, entry by entry."""
    k = [[torch.exp(GAMMA * (a.double() @ b.double() - 1)) for b in keys] for a in keys]
    matrix = torch.tensor(k, dtype=torch.float64) + RIDGE * torch.eye(len(keys))
    weights = torch.linalg.inv(matrix) @ targets.double()
    row = torch.tensor([[torch.exp(GAMMA * (q.double() @ b.double() - 1)) for b in keys] for q in queries])
    return row.double() @ weights


def test_reads_what_the_definition_says():
    keys, targets = some(40)
    queries, _ = some(7, seed=1)
    coefficients, _ = solve(keys, targets)
    torch.testing.assert_close(
        read(queries, keys, coefficients).double(), naive(keys, targets, queries), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("sample", [30, 11])
def test_left_out_scores_are_those_of_a_fit_without_the_example(sample):
    keys, targets = some(30)
    _, left_out = solve(keys, targets, sample=sample)
    assert left_out.shape == (sample, 3)
    for place, row in enumerate(range(30 - sample, 30)):
        others = [other for other in range(30) if other != row]
        expected = naive(keys[others], targets[others], keys[row : row + 1])[0]
        torch.testing.assert_close(left_out[place].double(), expected, atol=1e-3, rtol=0)


def test_blocks_are_averaged_and_left_out_scores_too():
    keys, targets = some(30)
    queries, _ = some(5, seed=2)
    coefficients, left_out = solve(keys, targets, block=16, sample=4)
    halves = [slice(0, 15), slice(15, 30)]
    expected = sum(naive(keys[half], targets[half], queries) for half in halves) / 2
    torch.testing.assert_close(read(queries, keys, coefficients).double(), expected, atol=1e-4, rtol=0)
    others = list(range(15, 29))
    own = naive(keys[others], targets[others], keys[29:])
    other = naive(keys[:15], targets[:15], keys[29:])
    torch.testing.assert_close(left_out[-1:].double(), (own + other) / 2, atol=1e-3, rtol=0)


def test_the_same_example_twice_doesnt_break_the_solution():
    keys, targets = some(5)
    coefficients, left_out = solve(keys.repeat(4, 1), targets.repeat(4, 1))
    assert torch.isfinite(coefficients).all()
    assert (left_out.argmax(-1) == targets.repeat(4, 1).argmax(-1)).all()
