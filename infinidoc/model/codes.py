"""Addresses in 16 bytes instead of 128: product quantisation (Jégou et al. 2011, doi 10.1109/TPAMI.2010.57).

An address is cut into 16 pieces, and of each is kept which of 256 centroids is nearest; the centroids are learnt on a
collection's own addresses. A question stays as it is, so distances are asymmetric: it is compared with what the
centroids of a passage's tokens put together.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.addresses import SCALE

PIECES, CENTROIDS = 16, 256
LEAST = 10_000  # addresses to learn from, some forty for a centroid
SAMPLE = 65_536  # more change nothing that can be measured
ROUNDS = 12


@dataclass(frozen=True)
class Codes:
    """Addresses as codes (R, 16) uint8, and the centroids (16, 256, 8) that they stand for. Searched like int8 ones."""

    codes: Tensor
    centroids: Tensor

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: slice | Tensor) -> "Codes":
        return Codes(self.codes[rows], self.centroids)

    def float(self) -> Tensor:
        """Addresses (R, 128): unit vectors times 127."""
        pieces = self.centroids[torch.arange(len(self.centroids)), self.codes.long()]
        return F.normalize(pieces.flatten(1), dim=-1) * SCALE


def learn(addresses: Tensor) -> Tensor:
    """Centroids (16, 256, 8) for addresses (R, 128) int8, by k-means (Lloyd), from a sample of them."""
    generator = torch.Generator().manual_seed(0)
    pieces = _pieces(addresses[torch.randperm(len(addresses), generator=generator)[:SAMPLE]])
    centroids = pieces[:, :CENTROIDS].clone()
    for piece, found in zip(pieces, centroids, strict=True):
        for _ in range(ROUNDS):
            nearest = _nearest(piece, found)
            counts = nearest.bincount(minlength=CENTROIDS)[:, None]
            sums = torch.zeros_like(found).index_add_(0, nearest, piece)
            found.copy_(torch.where(counts > 0, sums / counts.clamp(min=1), found))
    return centroids


def encode(addresses: Tensor, centroids: Tensor) -> Tensor:
    """Addresses (R, 128) int8 as codes (R, 16) uint8."""
    nearest = [_nearest(piece, among) for piece, among in zip(_pieces(addresses), centroids, strict=True)]
    return torch.stack(nearest, 1).to(torch.uint8)


def _pieces(addresses: Tensor) -> Tensor:
    """(16, R, 8) of unit vectors."""
    return F.normalize(addresses.float(), dim=-1).unflatten(1, (PIECES, -1)).transpose(0, 1).contiguous()


def _nearest(piece: Tensor, centroids: Tensor) -> Tensor:
    return (piece @ centroids.T - centroids.pow(2).sum(-1) / 2).argmax(-1)
