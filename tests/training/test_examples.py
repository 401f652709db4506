"""What is trained on: nothing of the held-out articles, answers where they should be, haystacks that grow."""

import random
import re

import pytest

from infinidoc.model.prompts import REFUSAL
from infinidoc.training import examples, recipes
from infinidoc.training.corpus import held_out_questions, prose, sentences, written, xquad

SEEDS = range(60)


def held_out_words():
    return [text[:60] for text in xquad(held_out=True).paragraphs] + [q.text for q in xquad(held_out=True).questions]


def test_the_two_halves_share_no_article():
    trained, held_out = xquad(held_out=False), xquad(held_out=True)
    assert (len(trained.articles), len(held_out.articles)) == (18, 6)
    assert not set(trained.paragraphs) & set(held_out.paragraphs)
    assert not {q.text for q in trained.questions} & {q.text for q in held_out.questions}
    assert all(any(answer in q.paragraph for answer in q.answers) for q in (*trained.questions, *held_out.questions))


def test_the_written_articles_answer_their_questions_and_share_nothing_with_the_real_ones():
    corpus = written()
    real = [*xquad(held_out=False).questions, *xquad(held_out=True).questions]
    assert len(corpus.articles) > 100
    assert len({q.text for q in corpus.questions}) > 5_000
    for paragraph in corpus.paragraphs:
        assert len(corpus.on(paragraph)) >= 5
        assert corpus.unanswerable(paragraph)
    assert all(answer in q.paragraph for q in corpus.questions for answer in q.answers)
    assert not {q.text for q in corpus.questions} & {q.text for q in real}
    assert not eights(corpus.paragraphs) & eights([q.paragraph for q in real])


def eights(texts):
    """Every run of eight words."""
    words = [re.findall(r"\w+", text.lower()) for text in texts]
    return {tuple(row[at : at + 8]) for row in words for at in range(len(row) - 7)}


@pytest.mark.parametrize("task", sorted(recipes.MAKERS))
def test_no_task_shows_anything_of_the_held_out_articles(task):
    secret = held_out_words()
    for seed in SEEDS:
        example = recipes.MAKERS[task](random.Random(seed), 1.0)
        shown = " ".join([*example.told, *(part for turn in example.turns for part in turn)])
        assert not [words for words in secret if words in shown]
        assert example.turns
        assert all(answer.strip() for _, answer in example.turns)


def test_prose_holds_nothing_of_the_held_out_articles():
    everything = "\n".join(prose())
    assert len(everything) > 1_000_000
    assert not [words for words in held_out_words() if words in everything]


def test_facts_are_told_and_only_in_the_memory():
    for seed in SEEDS:
        example = examples.facts(random.Random(seed), 4, segments=2, around=2)
        told = " ".join(example.told)
        for prompt, answer in example.turns:
            assert answer.strip(" .\n") in told
            assert answer.strip() not in prompt


def test_reading_answers_from_the_passages_or_refuses():
    kinds = {True: 0, False: 0}
    for seed in range(200):
        example = examples.read(random.Random(seed), xquad(held_out=False))
        passages = example.turns[0][0].rsplit("Question:", 1)[0]
        for _, answer in example.turns:
            refused = answer.strip() == REFUSAL
            kinds[refused] += 1
            assert refused or answer.strip() in passages
    assert 0.15 < kinds[True] / sum(kinds.values()) < 0.45


def test_refused_questions_of_real_articles_have_no_answer_on_show():
    corpus = xquad(held_out=False)
    by_text = {" ".join(question.text.split()): question for question in corpus.questions}
    found = 0
    for seed in range(200):
        example = examples.read(random.Random(seed), corpus, generated=0.0)
        passages = example.turns[0][0].rsplit("Question:", 1)[0]
        for prompt, answer in example.turns:
            if answer.strip() == REFUSAL:
                asked = by_text[" ".join(prompt.rsplit("Question:", 1)[1].split("\nAnswer:")[0].split())]
                assert not examples.holds(passages, asked.answers)
                found += 1
    assert found > 50


def test_a_continued_text_goes_on_where_the_memory_ends():
    rng = random.Random(0)
    articles = [*xquad(held_out=False).articles, *written().articles]
    texts = ["".join(" ".join(text).split()) for text in articles] + ["".join(text.split()) for text in prose()]
    for _ in range(30):
        example = examples.continued(rng, 600, segments=3)
        [(first, rest)] = example.turns
        pieces = [*example.told, first + rest]
        assert 1 <= len(example.told) <= 3
        assert all(len(piece) <= 600 for piece in pieces)
        assert any("".join("".join(pieces).split()) in text for text in texts)


def test_haystacks_grow_with_the_run():
    early = [recipes.facts(random.Random(seed), 0.05) for seed in SEEDS]
    late = [recipes.facts(random.Random(seed), 1.0) for seed in SEEDS]
    assert max(example.background for example in early) == 0
    assert max(example.background for example in late) > 100_000
    assert min(example.background for example in late) == 0
    assert max(recipes.passkey(random.Random(seed), 1.0).counts[:1] or (0,) for seed in SEEDS)[0] > 10_000


def test_a_sentence_ends_where_it_ends():
    assert sentences("He left. She stayed! Why? 3.5 kg of it.") == ["He left.", "She stayed!", "Why?", "3.5 kg of it."]


def test_held_out_questions_are_of_articles_that_no_training_sees():
    file = held_out_questions()
    trained = xquad(held_out=False)
    assert len(file.questions) == len(xquad(held_out=True).questions)
    assert len(file.documents) == len(trained.paragraphs) + len(xquad(held_out=True).paragraphs)
    known = {" ".join(question.text.split()) for question in trained.questions}
    for question in file.questions:
        assert question.text not in known
        assert question.source
        assert file.documents[question.source] not in trained.paragraphs
