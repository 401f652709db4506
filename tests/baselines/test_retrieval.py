"""BM25, vectors and their fusion, against formulas worked by hand."""

import math

import numpy as np
import pytest

from infinidoc.baselines import retrieval
from infinidoc.baselines.retrieval import Bm25, Embedder, fuse, ranked
from infinidoc.errors import InfinidocError

TEXTS = ["salt salt iron", "salt copper", "copper copper copper wool wool", "tea"]


def bm25_naive(words, k1, b):
    """Lucene's BM25: idf · tf / (tf + k1·(1 − b + b·length/average))."""
    documents = [text.split() for text in TEXTS]
    average = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        total = 0.0
        for word in words:
            holding = sum(word in other for other in documents)
            idf = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            count = document.count(word)
            total += idf * count / (count + k1 * (1 - b + b * len(document) / average))
        scores.append(total)
    return scores


@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.9, 0.4)])
def test_bm25_is_the_formula(tmp_path, k1, b):
    built = Bm25.build(TEXTS, k1, b)
    built.save(tmp_path / "bm25")
    assert not [file for file in (tmp_path / "bm25").iterdir() if file.suffix not in (".npy", ".json")]
    for bm25 in (built, Bm25.load(tmp_path / "bm25")):
        scores = bm25.scores("Salt and copper?")
        expected = bm25_naive(["salt", "copper"], k1, b)
        assert [0.0 if np.isinf(score) else score for score in scores] == pytest.approx(expected, rel=1e-5)
        assert ranked(scores, 10) == sorted(range(3), key=lambda place: -expected[place])  # "tea" shares no word
        assert ranked(bm25.scores("Xylophone?"), 10) == []
        assert ranked(bm25.scores("the of"), 10) == []


def test_bm25_knows_words_by_their_stem_and_single_digits():
    bm25 = Bm25.build(["The boilers were serviced.", "Dial 9 for a line.", "Dial 8."])
    assert ranked(bm25.scores("When is the boiler servicing?"), 5) == [0]
    assert ranked(bm25.scores("9"), 5) == [1]


def test_ranked_takes_the_best_first_and_of_equal_ones_the_earlier():
    assert ranked(np.array([0.5, 0.9, -np.inf, 0.5], dtype=np.float32), 10) == [1, 0, 3]
    assert ranked(np.array([0.5, 0.9, 0.5], dtype=np.float32), 2) == [1, 0]


def test_reciprocal_rank_fusion_by_hand():
    fused = fuse([["a", "b", "c"], ["c", "a"]])
    assert list(fused) == ["a", "c", "b"]
    assert fused["a"] == pytest.approx(1 / 61 + 1 / 62)
    assert fused["c"] == pytest.approx(1 / 63 + 1 / 61)
    assert fused["b"] == pytest.approx(1 / 62)


def test_the_packaged_embedding_model_knows_what_belongs_together():
    embed = Embedder()
    vectors = embed(["A ship carries salt over the sea.", "The stock exchange fell by two percent."])
    assert vectors.shape == (2, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
    similar, different = vectors @ embed(["Which vessel transports sodium chloride?"], question=True)[0]
    assert similar > 0.35 > different + 0.2
    assert embed.digest == Embedder().digest
    assert 80e6 < embed.nbytes < 100e6


def test_an_embedding_model_that_is_not_there_gets_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InfinidocError, match="no embedding model") as caught:
        Embedder(str(tmp_path / "nothing"))
    assert "\n" not in str(caught.value)


def test_a_missing_extra_is_named_before_anything_is_computed(monkeypatch):
    retrieval.require()
    monkeypatch.setattr(retrieval, "find_spec", lambda name: None if name == "Stemmer" else object())
    with pytest.raises(InfinidocError, match=r"Stemmer.*infinidoc\[rag\]"):
        retrieval.require()
