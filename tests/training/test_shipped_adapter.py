"""The shipped adapter does on small fixed samples what its model card says it does on larger ones."""

import math
import random
from pathlib import Path

import pytest
import torch

from infinidoc.evaluation.longcontext.haystack import filler
from infinidoc.evaluation.longcontext.perplexity import loss
from infinidoc.evaluation.metrics import exact_match
from infinidoc.evaluation.questions import question_digest
from infinidoc.made import passkey
from infinidoc.model import adapters
from infinidoc.model.addresses import question_vectors, score
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import load_base
from infinidoc.model.encoding import add, encode
from infinidoc.model.loading import has_own_reader, load
from infinidoc.model.prompts import question_prompt
from infinidoc.reading.answering import generate, prompt, refuses
from infinidoc.training import recipes
from infinidoc.training.corpus import xquad

pytestmark = pytest.mark.real
LIBRARY = Path(__file__).parents[2] / "examples" / "library"
QUIET = {"on_text": lambda text: None}


@pytest.fixture(scope="module")
def adapted(real_base):
    base = load_base(str(real_base.path))  # a copy of its own: attaching changes the weights
    card = adapters.default_for(base.digest)
    assert card is not None, "no adapter is shipped for the embedded model"
    assert card.shipped
    adapters.attach_adapter(base, adapters.load(card))
    return base, adapters.load(card)


def held_out(count, seed):
    return random.Random(seed).sample(xquad(held_out=True).questions, count)


def test_it_is_small_and_whole(adapted):
    _, adapter = adapted
    assert adapter.card.parts == ["address-head", "reader", "memory"]
    assert adapter.card.size < 31e6
    assert adapter.card.reader_layer == 8
    assert "XQuAD" in adapter.card.readme
    assert "CC BY-SA 4.0" in adapter.card.readme


@pytest.fixture(scope="module")
def reader(real_base):
    base, _ = load(str(real_base.path), to_read=True)
    assert has_own_reader(base)
    return base


def asked_of(base, question, passages):
    return generate(base, prompt(base, question, [("", text) for text in passages]), None, 24, **QUIET)


def test_it_reads_an_answer_from_three_passages(reader):
    right = refused = 0
    for asked in held_out(12, seed=1):
        others = [text for text in xquad(held_out=True).articles[asked.article] if text != asked.paragraph][:2]
        said = asked_of(reader, asked.text, [others[0], asked.paragraph, *others[1:]])
        right += exact_match(said, asked.answers)
        refused += refuses(said)
    assert right >= 4  # the card's 0.485 would be 6 of twelve; some may fall otherwise on other processors
    assert refused <= 2


def test_it_refuses_what_the_passages_do_not_say(reader):
    refused = 0
    for asked in held_out(6, seed=2):
        article = (asked.article + 1) % len(xquad(held_out=True).articles)
        refused += refuses(asked_of(reader, asked.text, xquad(held_out=True).articles[article][:3]))
    assert refused >= 5


def test_it_recalls_the_right_passage(adapted):
    base, adapter = adapted
    head = adapter.head()
    texts = xquad(held_out=True).paragraphs
    addresses = encode(base, head, [base.encode(text)[:500] for text in texts], remember=False).addresses
    rows = [sum(map(len, addresses[:index])) for index in range(len(addresses))]
    asked = held_out(30, seed=3)
    first = [int(score(*question_vectors(base, head, q.text), torch.cat(addresses), rows).argmax()) for q in asked]
    assert sum(texts[index] == q.paragraph for index, q in zip(first, asked, strict=True)) >= 28


def test_it_remembers_a_pass_key_that_no_window_holds(adapted):
    """Five digits, four segments of filler: from the compressive memory alone. Chance is one in a hundred thousand.

    Segments are read without each other, so the three of filler alone are read once for all samples and added.
    """
    base, _ = adapted
    tokens = filler(base.encode)
    segments = [tokens(511 * index, 511 * (index + 1)) for index in range(4)]
    silent = encode(base, None, segments[:3]).state
    right = 0
    for seed in range(5):
        sample = passkey.sample(random.Random(seed))
        fact = [token for text in sample.facts for token in base.encode(" " + text)]
        place = 24 * random.Random(seed).randrange(10)
        told = [*segments[3][:place], *fact, *segments[3][place:]]
        state = add(silent, encode(base, None, [told]).state)
        ids = [*base.start, *base.encode(sample.prompt)]
        right += sample.answer in generate(base, ids, state, 10, **QUIET)
    assert right >= 4


def test_plain_prose_stays_as_likely_as_the_base_model_has_it(adapted, real_base):
    """Perplexity of whole segments that nobody trained on: at most 2 % more."""
    base, _ = adapted
    more = []
    for name in ("python-faq.rst", "jargon-file.txt"):
        ids = base.encode((LIBRARY / "reference" / name).read_text("utf-8"))
        for start in (512, 2048):
            segment = [*base.start, *ids[start : start + 512]]
            more.append((loss(base.model, segment, 511) - loss(real_base.model, segment, 511)) / 511)
    assert math.exp(sum(more) / len(more)) < 1.02


def test_its_memory_is_read(adapted):
    base, _ = adapted
    ids = torch.tensor([[*base.start, *base.encode(question_prompt("What is the pass key?"))]])
    state = encode(base, None, [base.encode("The pass key is 48213. Remember it.")]).state
    assert len(state) == 16  # layers 8 to 23: what is above them is not missed
    with torch.no_grad():
        silent = base.model(ids).logits
        reminded = base.model(ids, past_key_values=CompressiveMemory(base.model, state)).logits
    assert (silent - reminded).abs().max() > 1.0


def test_no_evaluation_question_was_trained_on(adapted):
    """Digests of everything asked in training, over thousands of examples, against those of held-out questions."""
    trained = {question_digest(question.text) for question in xquad(held_out=False).questions}
    for task in ("reading", "answering", "remembered"):
        for seed in range(300):
            for text, _ in recipes.MAKERS[task](random.Random(seed), 1.0).turns:
                asked = text.rsplit("Question:", 1)[1].removesuffix("\nAnswer:")
                trained.add(question_digest(asked))
    held = {question_digest(question.text) for question in xquad(held_out=True).questions}
    assert len(trained) > 1000
    assert not trained & held
