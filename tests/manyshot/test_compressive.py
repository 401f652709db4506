"""The compressive memory alone."""

import torch
import torch.nn.functional as F

from infinidoc.manyshot.compressive import RIDGE, LabelMemory


def some(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    keys = F.normalize(torch.randn(count, 8, generator=generator), dim=-1)
    return keys, F.one_hot(keys[:, :3].argmax(-1), 3).float()


def test_reads_what_ridge_regression_says():
    keys, targets = some(50)
    queries, wanted = some(20, seed=1)
    features = F.normalize(F.pad(keys, (0, 1), value=1.0), dim=-1).double()
    weights = torch.linalg.inv(features.T @ features + RIDGE * torch.eye(9)) @ features.T @ targets.double()
    found = LabelMemory.empty(8, 3).write(keys, targets).read(queries)
    expected = F.normalize(F.pad(queries, (0, 1), value=1.0), dim=-1).double() @ weights
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    assert (found.argmax(-1) == wanted.argmax(-1)).float().mean() > 0.8


def test_memories_add_up_and_can_be_taken_apart():
    keys, targets = some(30)
    queries, _ = some(5, seed=1)
    empty = LabelMemory.empty(8, 3)
    whole, first, rest = (empty.write(keys[part], targets[part]) for part in (slice(30), slice(12), slice(12, 30)))
    torch.testing.assert_close((rest + first).read(queries), whole.read(queries))
    torch.testing.assert_close((whole - first).read(queries), rest.read(queries))
    assert whole.state.normaliser.shape == first.state.normaliser.shape
