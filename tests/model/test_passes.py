"""Segments in two passes: the same addresses and the same sums as in one, to the last bit."""

import random

import pytest
import torch

from infinidoc.model.addresses import untrained_head
from infinidoc.model.attention import attach
from infinidoc.model.base import load_base
from infinidoc.model.encoding import MOST_PADDING, Encoder, Seat, batches_of, take_seats
from infinidoc.model.precision import dtype_of
from infinidoc.model.quantization import quantise
from tests.tiny import FAMILIES, tiny_model


def nothing(tokens):
    pass


def both_ways(path, precision="fp32", first_layer=0, layer=None, last_layer=None):
    """What segments leave in the memory, begun where the first pass ended, and read from the start."""
    base = load_base(str(path), dtype=dtype_of(precision))
    attach(base.model, first_layer=first_layer, last_layer=last_layer)
    head = untrained_head(base, layer)
    if precision == "int8":
        quantise(base.model)
    rng = random.Random(0)
    segments = [[rng.randrange(3, 390) for _ in range(rng.randint(1, 300))] for _ in range(20)]
    seen = []
    for number, decoder in enumerate(base.model.get_decoder().layers):
        decoder.mlp.register_forward_hook(lambda *_, number=number: seen.append(number))
    with Encoder(base, head) as encoder:
        first = encoder.first_pass(segments, keep=True)(nothing)
        below = sorted(set(seen))
        seen.clear()
        begun = encoder.second_pass(first.begun, first.seats)(nothing)
        above = sorted(set(seen))
        whole = encoder.second_pass(segments, first.seats)(nothing)
    return begun, whole, below, above


def assert_same(begun, whole):
    for mine, theirs in zip(begun, whole, strict=True):
        for one, other in zip(mine.tensors().values(), theirs.tensors().values(), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_layer_runs_twice_and_every_bit_is_that_of_one_pass(tmp_path, family):
    begun, whole, below, above = both_ways(tiny_model(tmp_path, family))
    assert len(whole) == 3
    assert_same(begun, whole)
    assert (below, above) == ([0], [1])  # the last layer's MLP is needed by nobody


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize(("first_layer", "layer"), [(0, 2), (1, 1), (2, 1), (1, 2)])
def test_so_it_is_in_every_precision_wherever_memory_and_addresses_begin(tiny, precision, first_layer, layer):
    begun, whole, _, _ = both_ways(tiny, precision, first_layer, layer)
    assert len(whole) == 3 - first_layer
    assert_same(begun, whole)


@pytest.mark.parametrize("last_layer", [0, 1])
def test_nothing_runs_above_the_last_layer_that_remembers(tiny, last_layer):
    begun, whole, _, above = both_ways(tiny, last_layer=last_layer)
    assert_same(begun, whole)
    assert above == []  # the address head is at layer 1, and of the last layer no MLP is needed
    assert_same(whole, both_ways(tiny)[1][: last_layer + 1])


def test_the_first_pass_keeps_nothing_unless_it_is_wanted(tiny):
    base = load_base(str(tiny))
    attach(base.model)
    with Encoder(base, untrained_head(base)) as encoder:
        segments = [[5] * 20, [6] * 7]
        bare, kept = encoder.first_pass(segments)(nothing), encoder.first_pass(segments, keep=True)(nothing)
    assert bare.begun is None
    assert [len(hidden) for hidden in kept.begun.hidden] == [len(base.start) + 20, len(base.start) + 7]
    assert all(torch.equal(one, other) for one, other in zip(bare.addresses, kept.addresses, strict=True))


def test_segments_of_like_length_share_a_batch_and_none_is_padded_much():
    lengths = [128, 500, 129, 480, 287, 440]
    seats = take_seats(lengths, 1_024)
    assert seats == [
        Seat(2, 129, 1),
        Seat(2, 500, 0),
        Seat(2, 129, 0),
        Seat(2, 500, 1),
        Seat(1, 287, 0),
        Seat(1, 440, 0),
    ]
    assert all(seat.width - length <= MOST_PADDING for seat, length in zip(seats, lengths, strict=True))
    assert sorted(index for _, batch in batches_of(seats) for index in batch.values()) == list(range(len(lengths)))
