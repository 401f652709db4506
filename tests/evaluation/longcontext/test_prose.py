"""Prose: any document, each text once, and never more than there is."""

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.longcontext import prose
from infinidoc.evaluation.longcontext.prose import LIBRARY, read_prose, require
from infinidoc.model.base import load_base


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "work"


@pytest.fixture(scope="module")
def base(tiny):
    return load_base(str(tiny))


def test_documents_of_any_format_follow_each_other(base, folder):
    (folder / "a.md").write_text("The ship\n\n\n  The lighthouse\n")
    (folder / "b.html").write_text("<h1>Title</h1><p>The green book</p>")
    (folder / "c.bin").write_bytes(b"\0\1\2")
    (folder / "d.md").write_text("The ship\n\n\n  The lighthouse\n")
    found = read_prose([folder], base.encode)
    assert found.names == ["a.md", "b.html"]
    assert base.tokenizer.decode(found.document(0)) == "The ship\n\nThe lighthouse\n\n"
    assert "The green book" in base.tokenizer.decode(found.document(1))
    assert found.tokens(0, len(found)) == found.document(0) + found.document(1)
    (folder / "a.md").write_text("The ship")
    assert read_prose([folder], base.encode).digest != found.digest


def test_the_library_of_a_checkout_is_the_default(base):
    found = read_prose([], base.encode)
    assert "jargon-file.txt" in found.names
    assert not any(name.endswith((".csv", ".xlsx", ".tsv")) for name in found.names)


def test_there_must_be_something_to_read(base, folder, monkeypatch):
    (folder / "c.bin").write_bytes(b"\0\1\2")
    with pytest.raises(InfinidocError, match="none of these files"):
        read_prose([folder / "c.bin"], base.encode)
    monkeypatch.setattr(prose, "LIBRARY", LIBRARY / "nowhere")
    with pytest.raises(InfinidocError, match="--prose"):
        read_prose([], base.encode)


def test_prose_is_never_repeated_to_fill_a_length(base, folder):
    (folder / "a.txt").write_text("The ship " * 50)
    found = read_prose([folder], base.encode)
    require(found, [len(found)])
    with pytest.raises(InfinidocError, match=f"{len(found):,} without repetition"):
        require(found, [10, len(found) + 1])
