"""Chunks cover a document, overlap by whole sentences, and stay within their size."""

import pytest

from infinidoc.baselines.chunking import split_into_chunks
from infinidoc.documents.document import Document, Mark


def encode(text):
    """A token per word."""
    return list(range(len(text.split())))


def chunks(text, size, overlap, marks=()):
    document = Document(text, "txt", marks)
    return [text[start:end] for start, end in split_into_chunks(document, encode, size, overlap)]


def test_whole_sentences_with_the_last_ones_repeated():
    text = "One two three. Four five six. Seven eight nine. Ten."
    assert chunks(text, 6, 0) == ["One two three. Four five six.", "Seven eight nine. Ten."]
    repeated = ["One two three. Four five six.", "Four five six. Seven eight nine.", "Seven eight nine. Ten."]
    assert chunks(text, 6, 3) == repeated
    assert chunks(text, 100, 50) == [text]


def test_an_overlap_never_makes_a_chunk_too_long():
    text = "One two. Three four five. Six seven eight nine ten eleven."
    assert chunks(text, 6, 3) == ["One two. Three four five.", "Six seven eight nine ten eleven."]


def test_a_long_sentence_is_cut_between_words_and_nothing_is_lost():
    words = [f"word{number}" for number in range(100)]
    pieces = chunks(" ".join(words), 7, 0)
    assert " ".join(pieces).split() == words
    assert all(len(piece.split()) <= 7 for piece in pieces)


def test_a_line_without_spaces_is_cut_before_it_is_encoded():
    def careful(text):
        assert len(text) <= 8 * 16
        return list(range(-(-len(text) // 4)))

    document = Document("x" * 10_000, "txt")
    spans = split_into_chunks(document, careful, 8, 2)
    assert spans[0][0] == 0
    assert spans[-1][1] == 10_000
    assert all(end - start <= 8 * 4 for start, end in spans)


def test_no_chunk_crosses_a_page_but_sections_may_share_one():
    text = "Page one ends here. Page two begins here. A section."
    second, section = text.index("Page two"), text.index("A section")
    marks = (Mark(0, "page 1", True), Mark(second, "page 2", True), Mark(section, "section", False))
    assert chunks(text, 100, 10, marks) == ["Page one ends here.", "Page two begins here. A section."]


@pytest.mark.parametrize("text", ["", " \n\n \t"])
def test_empty_documents_have_no_chunks(text):
    assert chunks(text, 10, 2) == []


@pytest.mark.parametrize(("size", "overlap"), [(5, 0), (5, 2), (12, 4), (40, 10)])
def test_every_word_of_prose_is_in_some_chunk_in_order(size, overlap):
    text = "\n\n".join(
        f"The {n} ship sails. It carries {n} tons of salt! Does it? Yes, “it does.” So." for n in range(30)
    )
    spans = split_into_chunks(Document(text, "txt"), encode, size, overlap)
    assert all(len(encode(text[start:end])) <= size for start, end in spans)
    assert [start for start, _ in spans] == sorted({start for start, _ in spans})
    covered = bytearray(len(text))
    for start, end in spans:
        covered[start:end] = b"\1" * (end - start)
    assert not "".join(c for c, seen in zip(text, covered, strict=True) if not seen).strip()
    repeated = sum(end - start for start, end in spans) - sum(covered)
    assert (repeated > 0) == (overlap > 0)
