"""Training an address head, on states that are made up and on a tiny model's."""

import pytest
import torch

from infinidoc.model.addresses import AddressHead, question_vectors, score, untrained_head
from infinidoc.model.base import load_base
from infinidoc.training import address_head
from infinidoc.training.address_head import Pairs, Projections, Settings, States, cached_states, fit, places, scores_of
from infinidoc.training.corpus import xquad


def made_up(seed=0, passages=60, width=32):
    """Half of a state's dimensions tell which passage a question needs; the louder half means nothing."""
    torch.manual_seed(seed)
    half = width // 2
    keys = torch.randn(passages, half)

    def text(key, tokens):
        states = 2 * torch.randn(tokens, width)
        states[:, :half] *= 0.1
        states[0, :half] = 2 * key
        return states

    return States(
        [text(key, 6) for key in keys],
        [([1], text(key, 1)) for key in keys for _ in range(4)],
        [index for index in range(passages) for _ in range(4)],
        [index // 6 for index in range(passages)],
    )


def plain_head(width=32, dimensions=128):
    torch.manual_seed(5)
    projection = torch.randn(width, dimensions)
    return AddressHead(
        0,
        0.4,
        torch.zeros(width),
        torch.ones(width),
        projection,
        projection.clone(),
        torch.ones(10),
        torch.zeros(width),
    )


def first_places(head, states, dimensions=128):
    scores = scores_of(Projections(head, dimensions), states, range(len(states.questions)))
    return (places(scores, states.right) == 0).float().mean().item()


@pytest.mark.parametrize("dimensions", [128, 32])
def test_training_finds_what_questions_and_passages_share(dimensions):
    unseen = made_up(seed=1)
    before = first_places(plain_head(), unseen)
    head = fit(plain_head(), made_up(), Settings(steps=150, rate=3e-2, dimensions=dimensions))
    after = first_places(head, unseen, dimensions)
    assert after > before + 0.2
    assert after > 0.7
    assert head.projection.shape == (32, dimensions)


def test_the_same_seed_gives_the_same_head():
    one, two = (fit(plain_head(), made_up(), Settings(steps=10)) for _ in range(2))
    assert all(torch.equal(a, two.tensors()[name]) for name, a in one.tensors().items())


def test_the_threshold_lets_answerable_questions_through():
    states = made_up()
    head = fit(plain_head(), states, Settings(steps=60, rate=3e-2))
    scores = scores_of(Projections(head, 128), states, range(len(states.questions)))
    own = scores.gather(1, torch.tensor(states.right)[:, None])
    assert 0.95 < (own >= head.threshold).float().mean() < 1.0


def test_training_scores_are_those_of_recall(tiny):
    """What is trained is what `ask` computes, up to the rounding of addresses to int8."""
    base = load_base(str(tiny))
    head = untrained_head(base)
    pairs = Pairs(["The Amalia carries grain.", "A long green book of ships."], [("What does the Amalia carry?", 0)])
    seen = []
    states = cached_states(base, head, pairs, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)
    with torch.no_grad():
        trained = Projections(head, 128).score(states.questions, states.passages)[0]
    addresses = [head.addresses(state.float() * head.std + head.mean) for state in states.passages]
    rows = [0, len(addresses[0])]
    found = score(*question_vectors(base, head, pairs.questions[0][0]), torch.cat(addresses), rows)
    torch.testing.assert_close(trained, found, rtol=0.03, atol=0.03)


def test_training_pairs_are_real_made_and_cut_and_never_held_out():
    pairs = address_head.training_pairs(Settings(made=40, cut=20))
    secret = {question.text for question in xquad(held_out=True).questions} | set(xquad(held_out=True).paragraphs)
    assert not secret & ({text for text, _ in pairs.questions} | set(pairs.passages))
    assert len(pairs.groups) == len(pairs.passages)
    assert {right for _, right in pairs.questions} <= set(range(len(pairs.passages)))
    assert len(pairs.passages) > 90 + 40


def test_places_count_what_scores_better():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.7, 0.2, 0.1]])
    assert places(scores, [2, 0]).tolist() == [1, 0]
