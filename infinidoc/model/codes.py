"""Addresses in 16 bytes instead of 128: product quantisation (Jégou et al. 2011, doi 10.1109/TPAMI.2010.57).

An address is cut into 16 pieces, and of each is kept which of 256 centroids is nearest; the centroids are learnt on a
collection's own addresses. A question stays as it is, so distances are asymmetric: it is compared with what the
centroids of a passage's tokens put together.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.addresses import SCALE

PIECES, CENTROIDS = 16, 256
LEAST = 10_000  # addresses to learn from, some forty for a centroid
SAMPLE = 65_536  # more change nothing that can be measured
ROUNDS = 12
BLOCK = 2_048  # compared at once: their distances stay in a cache


@dataclass(frozen=True)
class Codes:
    """Addresses as codes (R, 16) uint8, and the centroids (16, 256, 8) that they stand for. Searched like int8 ones."""

    codes: Tensor
    centroids: Tensor

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: slice | Tensor) -> "Codes":
        return Codes(self.codes[rows], self.centroids)

    def index_select(self, dim: int, rows: Tensor) -> "Codes":
        return Codes(self.codes.index_select(dim, rows), self.centroids)

    def float(self) -> Tensor:
        """Addresses (R, 128): unit vectors times 127."""
        count, among, _ = self.centroids.shape
        places = self.codes.long() + among * torch.arange(count)
        vectors = F.embedding(places, self.centroids.flatten(0, 1)).flatten(1)
        return vectors.mul_(SCALE / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-6))


def learn(addresses: Tensor, count: int = PIECES) -> Tensor:
    """Centroids (16, 256, 8), or for another `count` of pieces, by k-means (Lloyd) from a sample of addresses (R, 128)
    int8."""
    generator = torch.Generator().manual_seed(0)
    pieces = _pieces(addresses[torch.randperm(len(addresses), generator=generator)[:SAMPLE]], count)
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
    nearest = [
        _nearest(piece, among) for piece, among in zip(_pieces(addresses, len(centroids)), centroids, strict=True)
    ]
    return torch.stack(nearest, 1).to(torch.uint8)


def _pieces(addresses: Tensor, count: int) -> Tensor:
    """(16, R, 8) of unit vectors."""
    return F.normalize(addresses.float(), dim=-1).unflatten(1, (count, -1)).transpose(0, 1).contiguous()


def _nearest(piece: Tensor, centroids: Tensor) -> Tensor:
    """The nearest of centroids (256, 8) to each of (R, 8). NumPy finds the best of a row seven times as fast."""
    lengths = centroids.pow(2).sum(-1) / -2
    blocks = (torch.addmm(lengths, block, centroids.T).numpy().argmax(1) for block in piece.split(BLOCK))
    return torch.from_numpy(np.concatenate(list(blocks)))
