"""Addresses in 16 bytes: what they stand for, and what a search over them finds."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from infinidoc.model import codes
from infinidoc.model.addresses import SCALE, score
from infinidoc.model.codes import Codes


def addresses(rows, seed=0, width=128):
    """Around sixty places, as those of a real text lie around what is spoken of."""
    centres = torch.randn(60, width, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    vectors = centres[torch.randint(60, (rows,), generator=generator)]
    return (F.normalize(vectors + torch.randn(rows, width, generator=generator) / 2, dim=-1) * SCALE).round().char()


@pytest.fixture(scope="module")
def learnt():
    return codes.learn(addresses(12_000))


def test_a_code_stands_for_a_unit_vector_near_its_address(learnt):
    whole = addresses(500, seed=1)
    small = codes.encode(whole, learnt)
    assert (small.shape, small.dtype) == ((500, 16), torch.uint8)
    vectors = Codes(small, learnt).float() / SCALE
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(500))
    assert F.cosine_similarity(vectors, whole.float()).mean() > 0.8
    strangers = F.cosine_similarity(vectors, whole.roll(1, 0).float()).mean()
    assert strangers < 0.3


def test_every_piece_has_the_nearest_of_its_centroids(learnt):
    whole = addresses(50, seed=2)
    pieces = F.normalize(whole.float(), dim=-1).unflatten(1, (16, 8))
    nearest = torch.cdist(pieces.transpose(0, 1), learnt).argmin(-1).T
    assert torch.equal(codes.encode(whole, learnt).long(), nearest)


def test_learning_brings_centroids_nearer_than_any_addresses_themselves(learnt):
    whole = addresses(2_000, seed=3)
    taken = F.normalize(addresses(12_000)[:256].float(), dim=-1).unflatten(1, (16, 8)).transpose(0, 1)

    def missed(centroids):
        vectors = Codes(codes.encode(whole, centroids), centroids).float()
        return 1 - F.cosine_similarity(vectors, whole.float()).mean()

    assert missed(learnt) < 0.9 * missed(taken)


def test_a_question_is_compared_as_it_is_with_what_codes_stand_for(learnt):
    """Exact in the asymmetric distance: the same as a search over the vectors, put together beforehand."""
    small = Codes(codes.encode(addresses(300, seed=4), learnt), learnt)
    question, weights = F.normalize(torch.randn(5, 128), dim=-1), torch.rand(5).softmax(0)
    rows = [0, 7, 120, 121]
    cosines = question @ (small.float() / SCALE).T
    expected = torch.from_numpy(np.maximum.reduceat(cosines.numpy(), rows, axis=1)).T @ weights
    torch.testing.assert_close(score(question, weights, small, rows), expected)


def test_few_places_are_kept_exactly():
    """Fewer kinds of piece than centroids: each is one."""
    whole = addresses(40, seed=5).repeat(300, 1)
    found = codes.learn(whole)
    again = Codes(codes.encode(whole, found), found).float()
    torch.testing.assert_close(again, F.normalize(whole.float(), dim=-1) * SCALE, atol=1e-3, rtol=1e-3)
