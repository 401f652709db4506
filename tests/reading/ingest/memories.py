"""What two memories have in common."""

import torch


def sums(collection):
    return [tensor for layer in collection.store.state() for tensor in layer.tensors().values()]


def assert_same_memory(a, b, tolerance=1e-4):
    for one, other in zip(a, b, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
