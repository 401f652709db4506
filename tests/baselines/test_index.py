"""The index on the disk: what it holds after additions, changes, removals and interruptions, and what it finds."""

import numpy as np
import pytest

from infinidoc.baselines import index as module
from infinidoc.baselines.index import Index, NewDocument
from infinidoc.documents.document import Document, Mark
from infinidoc.errors import InfinidocError


class Letters:
    """Texts as unit vectors of their letters; counts what it was asked to embed."""

    digest, nbytes = "letters", 0

    def __init__(self):
        self.embedded = []

    def __call__(self, texts, question=False):
        if not question:
            self.embedded += texts
        counts = np.array([[text.lower().count(chr(97 + n)) for n in range(26)] for text in texts], dtype=np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def document(name, *chunks, marks=()):
    text, spans = "", []
    for chunk in chunks:
        spans.append((len(text), len(text) + len(chunk)))
        text += chunk + "\n"
    return NewDocument(f"/docs/{name}", f"digest of {chunks}", len(text.split()), Document(text, "txt", marks), spans)


SHIPS = document("ships.txt", "The Amalia carries salt.", "The Brunhild carries copper and iron.")
BIRDS = document(
    "birds.txt", "Gulls eat fish.", "Terns dive for herring.", marks=(Mark(0, "page 1"), Mark(16, "page 2"))
)


def opened(folder, lexical=True, embed=None, **settings):
    return Index(folder, lexical, embed, settings)


def found(index, question, top=10):
    return [(hit.path.rpartition("/")[2], hit.text) for hit in index.search(question, top)]


def test_bm25_finds_words_and_says_where_they_stand(tmp_path):
    with opened(tmp_path) as index:
        index.add([SHIPS, BIRDS])
        index.finish()
        assert found(index, "Who carries copper?")[0] == ("ships.txt", "The Brunhild carries copper and iron.")
        assert [hit.place for hit in index.search("herring", 3)] == ["page 2"]
        assert [hit.place for hit in index.search("copper", 3)] == ["line 2"]
        assert found(index, "zeppelin") == []
        assert index.counts() == {"documents": 2, "tokens": 17, "chunks": 4}


def test_vectors_alone_find_by_similarity_and_rank_everything(tmp_path):
    with opened(tmp_path, lexical=False, embed=Letters()) as index:
        index.add([SHIPS, BIRDS])
        hits = index.search("herrings dive for tern", 10)
        assert hits[0].text == "Terns dive for herring."
        assert len(hits) == 4
        assert hits[0].score == pytest.approx(1, abs=0.1)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_both_are_fused(tmp_path):
    with opened(tmp_path, embed=Letters()) as index:
        index.add([SHIPS, BIRDS])
        hits = index.search("Gulls eat fish", 2)
        assert hits[0].text == "Gulls eat fish."
        assert hits[0].score == pytest.approx(2 / 61, abs=1e-6)
        assert len(hits) == 2


def test_what_was_written_is_found_by_the_next_process_without_embedding_it_again(tmp_path):
    embed = Letters()
    with opened(tmp_path, embed=embed) as index:
        index.add([SHIPS])
        index.finish()
    assert len(embed.embedded) == 2
    with opened(tmp_path, embed=embed) as index:
        assert index.digests() == {SHIPS.path: SHIPS.digest}
        index.add([BIRDS])
        index.finish()
        assert found(index, "copper")[0][0] == "ships.txt"
        assert found(index, "herring")[0][0] == "birds.txt"
    assert len(embed.embedded) == 4


def test_changed_and_removed_documents_are_gone_at_once(tmp_path):
    with opened(tmp_path) as index:
        index.add([SHIPS, BIRDS])
        assert found(index, "copper")
        index.add([document("ships.txt", "The Concordia carries wool.")])
        assert found(index, "copper") == []
        assert found(index, "wool") == [("ships.txt", "The Concordia carries wool.")]
        index.remove([BIRDS.path])
        assert found(index, "herring") == []
        index.finish()
        assert len(list(tmp_path.glob("bm25-*"))) == 1
        index.remove([SHIPS.path])
        assert found(index, "wool") == []
        assert index.counts() == {"documents": 0, "tokens": 0, "chunks": 0}


def test_a_batch_that_breaks_off_leaves_nothing_behind(tmp_path, monkeypatch):
    with opened(tmp_path) as index:
        index.add([SHIPS])
        broken = NewDocument("/docs/b", "d", 1, Document("x y", "txt"), [(0, 1), None])
        with pytest.raises(TypeError):
            index.add([BIRDS, broken])
        assert list(index.digests()) == [SHIPS.path]
        monkeypatch.setattr(module.os, "getpid", lambda: 1)
        (tmp_path / ".bm25-2").mkdir()  # what a process left that was killed while it counted
        index.finish()
        assert not list(tmp_path.glob(".bm25-*"))
        assert found(index, "copper")


def test_an_index_made_otherwise_is_refused(tmp_path):
    opened(tmp_path, chunk_tokens=128).close()
    opened(tmp_path, chunk_tokens=128).close()
    with pytest.raises(InfinidocError, match=r"indexed differently \(chunk_tokens"):
        opened(tmp_path, chunk_tokens=64)
    with pytest.raises(InfinidocError, match="embedder"):
        opened(tmp_path, embed=Letters(), chunk_tokens=128)


def test_a_file_that_is_no_index_gets_one_line(tmp_path):
    (tmp_path / module.FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(InfinidocError, match="can't be opened"):
        opened(tmp_path)


def test_nothing_is_pickled(tmp_path):
    with opened(tmp_path, embed=Letters()) as index:
        index.add([SHIPS, BIRDS])
        index.finish()
        sizes = {file.suffix for file in tmp_path.rglob("*") if file.is_file()}
        assert sizes <= {".sqlite", ".sqlite-wal", ".sqlite-shm", ".npy", ".json"}
        assert index.nbytes() == sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
