import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infinidoc.documents.document import Document, Mark, Passage
from infinidoc.documents.segmentation import (
    PASSAGE_TOKENS,
    SEGMENT_TOKENS,
    pack_into_segments,
    split_into_passages,
)
from tests.documents.growth import assert_linear


def words(text: str) -> list[int]:
    """A stand-in tokeniser in the manner of BPE: pieces of words; rare characters take several tokens."""
    ids = []
    for piece in re.findall(r" ?[A-Za-z]{1,6}|\n+|\s|.", text, re.S):
        ids += [len(piece)] if piece.isascii() else list(piece.encode())
    return ids


def octets(text: str) -> list[int]:
    return list(text.encode())


def split(text: str, limit: int = 40, marks: tuple[Mark, ...] = (), encode=words) -> list[str]:
    passages = split_into_passages(Document(text, "txt", marks), encode, limit)
    return [text[passage.start : passage.end] for passage in passages]


def sentences(n: int, length: int = 9) -> str:
    return " ".join(" ".join(["Word", *["word"] * (length - 2)]) + "." for _ in range(n))


# Any document

texts = st.text(
    st.sampled_from("ab c. !?\n\n\t。，語é🙂\u3000-") | st.characters(exclude_categories=["Cs"]), max_size=300
) | st.lists(st.sampled_from(["Word. ", "word ", "\n", "\n\n", "x" * 50, "語" * 30, "    "]), max_size=60).map("".join)


@st.composite
def documents(draw):
    text = draw(texts)
    starts = draw(st.lists(st.integers(0, max(0, len(text) - 1)), unique=True, max_size=8)) if text else []
    return Document(text, "x", tuple(Mark(start, f"page {start}", draw(st.booleans())) for start in sorted(starts)))


@settings(max_examples=400, deadline=None)
@given(document=documents(), limit=st.integers(8, 60), encode=st.sampled_from([words, octets]))
@example(document=Document(" " * 500 + "x", "x"), limit=8, encode=octets)
@example(document=Document("x" + " " * 500 + "y", "x"), limit=8, encode=octets)
def test_passages_cover_the_text_and_keep_the_limit(document, limit, encode):
    passages = list(split_into_passages(document, encode, limit))
    end = 0
    for passage in passages:
        assert passage.start >= end
        assert not document.text[end : passage.start].strip()
        assert passage.ids == encode(document.text[passage.start : passage.end])
        assert len(passage.ids) <= limit
        assert document.text[passage.start : passage.end].strip()
        end = passage.end
    assert not document.text[end:].strip()
    breaks = [mark.start for mark in document.marks if mark.breaks]
    for passage in passages:
        for mark in breaks:  # on both sides of a break there is only space, or nothing
            before, after = document.text[passage.start : mark], document.text[mark : passage.end]
            assert not (passage.start < mark < passage.end and before.strip() and after.strip())


@settings(max_examples=200, deadline=None)
@given(sizes=st.lists(st.integers(0, 60), max_size=40), limit=st.integers(1, 100))
def test_segments_are_as_full_as_the_limit_allows(sizes, limit):
    passages = [Passage(n, n + 1, [0] * size) for n, size in enumerate(sizes)]
    segments = list(pack_into_segments(passages, limit))
    assert [passage for segment in segments for passage in segment] == passages
    for segment in segments:
        assert segment
        assert sum(len(passage.ids) for passage in segment) <= limit or len(segment) == 1
    for segment, following in itertools.pairwise(segments):
        assert sum(len(passage.ids) for passage in [*segment, following[0]]) > limit


def test_a_segment_holds_what_it_should():
    passages = [Passage(n, n + 1, [0] * PASSAGE_TOKENS) for n in range(7)]
    assert [len(segment) for segment in pack_into_segments(passages)] == [3, 3, 1]
    assert 3 * PASSAGE_TOKENS <= SEGMENT_TOKENS < 4 * PASSAGE_TOKENS
    assert list(pack_into_segments([])) == []


# Where passages begin and end


def test_nothing_in_nothing_out():
    assert split("") == split(" \n\n\t\n") == []


def test_whole_paragraphs_are_joined_up_to_the_limit():
    one = sentences(1, 15)  # 16 tokens, with its full stop
    assert split("\n\n".join([one] * 5)) == [f"{one}\n\n{one}"] * 2 + [one]


def test_a_paragraph_that_fits_is_not_cut():
    short, long = sentences(2), sentences(4)
    assert split(f"{short}\n\n{long}\n\n{short}", 42) == [short, long, short]


def test_long_paragraphs_are_cut_between_sentences():
    parts = split(sentences(30))
    assert all(re.fullmatch(r"(Word( word)+\. ?)+", part) for part in parts)
    assert len(parts) <= 11  # three sentences, 30 tokens, fit in each


def test_sentences_end_at_full_stops_only_if_a_new_one_begins():
    text = "This is about e.g. the so-called small ones in the house. " * 6
    assert all(part.endswith("house.") for part in split(text.strip(), 40))


def test_sentences_that_are_too_long_are_cut_at_lines_then_at_words():
    lines = "\n".join(["some words without a stop"] * 30)
    assert all(part.split("\n") == ["some words without a stop"] * (part.count("\n") + 1) for part in split(lines))
    text = "word " * 300
    assert all(set(part.split(" ")) == {"word"} for part in split(text))


def test_japanese_is_cut_after_its_full_stops():
    assert all(part.endswith("。") for part in split("これは文です。" * 40, 60, encode=octets))


def test_headings_go_with_what_follows():
    body = sentences(4)
    text = f"# Title\n\n## Part\n\n{body}\n\n## Next\n\n{body}"
    assert [part.split("\n")[0] for part in split(text, 50)] == ["# Title", "## Next"]
    long = sentences(12)
    assert split(f"{body}\n\n## Next\n\n{long}")[1].startswith("## Next\n\nWord")  # even if that has to be cut


def test_indentation_stays():
    text = "def f():\n    a = 1\n\n    b = 2\n" + "\n" * 3 + "    # " + "c " * 30
    assert split(text, 30)[0] == "def f():\n    a = 1\n\n    b = 2"
    assert split(text, 30)[1].startswith("    # c")


def test_pages_are_not_mixed_but_sections_may_be():
    text = "one\n\ntwo\n\nthree\n\nfour"
    marks = tuple(Mark(text.index(word), word, word == "three") for word in ("one", "two", "three", "four"))
    assert split(text, marks=marks) == ["one\n\ntwo", "three\n\nfour"]


def test_rows_are_kept_whole():
    rows = [f"name: {'n ' * (5 + 13 * (n % 2))}; row: {n}" for n in range(40)]
    text = "\n".join(rows)
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    parts = split(text, 45, tuple(Mark(start, f"row {n}") for n, start in enumerate(starts)))
    assert "\n".join(parts) == text
    assert all(part.split("\n") == [row for row in rows if row in part.split("\n")] for part in parts)
    assert len(parts) < 40


def test_no_swarm_of_tiny_passages():
    text = "\n\n".join(f"Item {n}" for n in range(200))
    sizes = [len(words(part)) for part in split(text, PASSAGE_TOKENS)]
    assert min(sizes[:-1]) > PASSAGE_TOKENS * 0.8


def test_a_limit_that_no_character_keeps_is_an_error():
    with pytest.raises(ValueError, match="takes 3 tokens"):
        split("語", 2, encode=octets)


# Size


@pytest.mark.parametrize("part", ["x", "語", "word ", "a\n", ". "])
def test_a_megabyte_takes_linear_time(part):
    text, encoded = part * (10**6 // len(part.encode())), 0

    def encode(piece: str) -> list[int]:
        nonlocal encoded
        encoded += len(piece)
        assert len(piece) <= 16 * PASSAGE_TOKENS
        return words(piece)

    passages = list(split_into_passages(Document(text, "txt"), encode))
    assert encoded < 4 * len(text)
    assert_linear(
        lambda size: Document(text[:size], "txt"),
        lambda document: list(split_into_passages(document, words)),
        len(text),
    )
    assert sum(len(passage.ids) for passage in passages) >= 0.7 * PASSAGE_TOKENS * (len(passages) - 1)


def test_ordinary_prose_is_encoded_about_twice():
    encoded = 0

    def encode(piece: str) -> list[int]:
        nonlocal encoded
        encoded += len(piece)
        return words(piece)

    text = "\n\n".join(sentences(n % 7 + 1) for n in range(500))
    list(split_into_passages(Document(text, "txt"), encode))
    assert encoded < 4 * len(text)


def test_passages_of_a_long_line_come_as_they_are_asked_for():
    """Nothing of a document's size is made on the way to its first passages, whatever it is."""
    encoded = 0

    def encode(text):
        nonlocal encoded
        encoded += len(text)
        return words(text)

    text = "the same words again and again " * 100_000
    segments = pack_into_segments(split_into_passages(Document(text, "txt"), encode))
    assert next(segments)[0].start == 0
    assert encoded < 100_000
