"""Rotary positions (arXiv 2104.09864), put into queries and keys and taken out again."""

from collections.abc import Callable

import torch
from torch import Tensor

Rotation = tuple[Tensor, Tensor]  # cos, sin (B or 1, N, R)
Turn = Callable[[Tensor, torch.dtype], Rotation | None]  # a layer's rotation of positions (N), None if it has none


def rotate(x: Tensor, rotation: Rotation | None) -> Tensor:
    """Puts the rotary position into x (B, H, N, D): x·cos + rotate_half(x)·sin.

    cos and sin (B or 1, N, R) cover the first R ≤ D dimensions, and may carry a scale (YaRN, LongRoPE).
    """
    if rotation is None:
        return x
    cos, sin = (part[:, None].to(x.dtype) for part in rotation)
    turned, rest = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
    left, right = turned.chunk(2, -1)
    return torch.cat([turned * cos + torch.cat([-right, left], -1) * sin, rest], -1)


def unrotate(x: Tensor, rotation: Rotation | None) -> Tensor:
    """The inverse of `rotate`."""
    if rotation is None:
        return x
    cos, sin = (part[:, None].to(x.dtype) for part in rotation)
    turned, rest = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
    left, right = turned.chunk(2, -1)
    scale = cos.square() + sin.square()
    return torch.cat([(turned * cos + torch.cat([right, -left], -1) * sin) / scale, rest], -1)
