"""Addresses: the fast score against the naive one, early exit against the whole model, and finding real passages."""

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from infinidoc.model import addresses, naive
from infinidoc.model.addresses import (
    AddressHead,
    RoughQuestion,
    best_cosines,
    early_states,
    introduced,
    question_vectors,
    score,
    untrained_head,
)
from infinidoc.model.base import load_base
from tests.tiny import FAMILIES, tiny_model


@pytest.mark.parametrize("block", [1, 7, 16_384])
def test_score_is_the_naive_score(monkeypatch, block):
    monkeypatch.setattr(addresses, "BLOCK", block)
    torch.manual_seed(0)
    rows = [0, 3, 4, 11, 30]
    stored = torch.randint(-127, 128, (41, 128), dtype=torch.int8)
    question, weights = F.normalize(torch.randn(6, 128), dim=-1), torch.rand(6).softmax(0)
    expected = naive.score(question, weights, stored, rows)
    torch.testing.assert_close(score(question, weights, stored, rows), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tokens", [1, 3, 8, 40])
def test_a_rough_question_is_off_by_its_margins_at_most(tokens):
    """Also of the addresses that its rounding does most to."""
    torch.manual_seed(tokens)
    question, weights = F.normalize(torch.randn(tokens, 128), dim=-1), torch.randn(tokens).mul(4).softmax(0)
    rough = RoughQuestion.of(question, weights)
    rounded = torch.zeros_like(question)
    rounded[rough.heaviest] = (rough.columns[:, : len(rough.heaviest)] * rough.steps).T
    worst = F.normalize(question - rounded, dim=-1)
    vectors = F.normalize(torch.cat([torch.randn(300, 128), question, -question, worst, -worst]), dim=-1)
    stored = (vectors * 127).round().to(torch.int8)
    rows = list(range(len(stored)))
    off = (rough.best_cosines(stored, rows) - best_cosines(question, stored, rows)).abs().amax(1)
    assert (off <= rough.margins).all()
    assert (off >= 0.85 * rough.margins).all()  # and margins are no wider than need be
    assert weights[rough.heaviest].sum() > 0.99


LARGEST = """
import torch
from infinidoc.model.addresses import RoughQuestion, best_cosines
for sign in (1, -1):
    question, stored = torch.full((3, 128), 128**-0.5), torch.full((5, 128), sign * 127, dtype=torch.int8)
    question[1] *= -1
    found = RoughQuestion.of(question, torch.ones(3) / 3).best_cosines(stored, range(5))
    torch.testing.assert_close(found, best_cosines(question, stored, range(5)))
"""


def test_sums_of_the_largest_integers_do_not_overflow_with_avx2_alone():
    forced = {**os.environ, "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    subprocess.run([sys.executable, "-c", LARGEST], env=forced, check=True)


def test_margins_bound_what_a_score_can_be():
    torch.manual_seed(0)
    weights, margins = torch.rand(6).softmax(0), 0.05 * torch.rand(6, 1)
    cosines, opening = 2 * torch.rand(2, 6, 4_000) - 1
    least, most = (introduced(weights, cosines, opening, sign * margins) for sign in (-1, 1))
    for corner in range(8):
        off, its = (margins * torch.empty(6, 4_000).uniform_(-1, 1) for _ in range(2))
        off, its = (off, its) if corner < 4 else (margins * off.sign(), margins * its.sign())
        true = introduced(weights, cosines + off, opening + its)
        assert (least - 1e-6 <= true).all()
        assert (true <= most + 1e-6).all()
    assert torch.equal(introduced(weights, cosines, opening, 0 * margins), introduced(weights, cosines, opening))


@pytest.mark.parametrize("family", FAMILIES)
def test_early_states_are_those_of_the_whole_model(tmp_path, family):
    base = load_base(str(tiny_model(tmp_path / family, family)))
    ids = torch.tensor([list(range(10, 40))])
    seen = []
    module = base.model.get_decoder().layers[2].self_attn
    hook = module.register_forward_pre_hook(lambda _, a, kw: seen.append(kw["hidden_states"]), with_kwargs=True)
    whole = base.model(ids).logits
    hook.remove()
    torch.testing.assert_close(early_states(base.model, 2, ids), seen[0])
    assert len(base.model.get_decoder().layers) == 3
    torch.testing.assert_close(base.model(ids).logits, whole)


def test_a_head_survives_being_saved(tiny):
    head = untrained_head(load_base(str(tiny)))
    again = AddressHead.from_tensors(head.tensors())
    assert (again.layer, again.threshold) == (head.layer, pytest.approx(head.threshold))
    states = torch.randn(5, 64)
    assert torch.equal(again.addresses(states), head.addresses(states))
    assert head.addresses(states).dtype == torch.int8
    assert head.addresses(states).shape == (5, 128)


def test_the_same_model_gives_the_same_head(tiny):
    one, two = (untrained_head(load_base(str(tiny))).tensors() for _ in range(2))
    for name in one:
        assert torch.equal(one[name], two[name])


PASSAGES = [
    "The lighthouse on Gull Rock was built in 1874 by the engineer Ellen Marsh.",
    "Our tea comes from three gardens in the hills above Darjeeling.",
    "To change the filter, switch off the pump and unscrew the blue cover.",
    "The 1998 football season ended without a trophy for the club.",
    "Invoices are paid within thirty days; late payment costs two percent.",
]
QUESTIONS = {
    "Who designed the lighthouse?": 0,
    "Where do the tea leaves grow?": 1,
    "How do I replace the filter of the pump?": 2,
    "When must an invoice be paid?": 4,
}


@pytest.mark.real
def test_the_real_model_finds_passages_and_knows_when_there_are_none(real_base):
    head = untrained_head(real_base)
    rows, stored = [], []
    for passage in PASSAGES:
        rows.append(sum(map(len, stored)))
        ids = torch.tensor([[*real_base.start, *real_base.encode(passage)]])
        stored.append(head.addresses(early_states(real_base.model, head.layer, ids)[0, len(real_base.start) :]))
    best = {}
    for question in [*QUESTIONS, "What is the capital of Mongolia?", "Which enzyme copies DNA?"]:
        scores = score(*question_vectors(real_base, head, question), torch.cat(stored), rows)
        best[question] = (int(scores.argmax()), float(scores.max()))
    assert {question: best[question][0] for question in QUESTIONS} == QUESTIONS
    bearing = [best[question][1] for question in QUESTIONS]
    others = [value for question, (_, value) in best.items() if question not in QUESTIONS]
    assert min(bearing) > max(others)
    assert max(others) < head.threshold


@pytest.mark.real
def test_common_words_weigh_little(real_base):
    head = untrained_head(real_base)
    ids = real_base.encode(" the of lighthouse")
    states = torch.zeros(len(ids), real_base.model.config.hidden_size)
    the, of, *lighthouse = head.question(ids, states)[1].tolist()
    assert the < 0.02
    assert of < 0.02
    assert sum(lighthouse) > 0.9
