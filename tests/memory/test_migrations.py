"""A collection that an older infinidoc made opens, is brought up to date, and keeps everything that took hours."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from infinidoc.errors import InfinidocError
from infinidoc.memory.manifest import MANIFEST
from infinidoc.memory.records import LOCAL, content_digest, content_of
from infinidoc.memory.store import Store

MADE = Path(__file__).with_name("format-1")  # by infinidoc at its commit cc4fa98, with the tiny model
THERE = "/tmp/store-old-made/project"  # where that was


def put(project: Path) -> Path:
    """The old collection, as if it had been made in `project`."""
    directory = project / LOCAL
    shutil.copytree(MADE, directory)
    with sqlite3.connect(directory / MANIFEST) as sql:
        sql.execute("UPDATE documents SET path = REPLACE(path, ?, ?)", (THERE, str(project)))
        sql.execute("UPDATE log SET sources = REPLACE(sources, ?, ?)", (THERE, str(project)))
    sql.close()
    return directory


@pytest.fixture
def directory(tmp_path):
    return put(tmp_path / "project")


def test_documents_addresses_and_memory_stay_as_they_were(directory):
    (file,) = directory.glob("addresses-*")
    before = load_file(file)["addresses"]
    with Store.open(directory) as store:
        assert store.meta("format") == str(Store.format)
        assert [Path(document.path) for document in store.documents()] == [
            directory.parent / "docs" / name for name in ("bread.txt", "copy.txt", "door.txt")
        ]
        (block,) = store.addresses()
        assert torch.equal(block.addresses, before)
        assert [store.passage(passage)[1:] for passage in block.passages] == [(0, 41), (0, 41), (0, 62)]
        door = store.documents()[2]
        text = store.document(door.id)
        assert text.text.startswith("The code of the cellar door is 7741.")
        assert (door.tokens, door.bytes, len(door.digest)) == (43, 63, 64)
        assert store.with_content(content_of(text)) == door.id
        assert store.state()[0].tokens.tolist() == [29 + 29 + 43]
        assert store.address_head()["projection"].shape[-1] == 128
        assert store._query("PRAGMA integrity_check") == [("ok",)]
        assert store._query("PRAGMA foreign_key_check") == []


def test_the_log_becomes_places_and_what_cites_a_removed_document_goes(directory):
    with Store.open(directory) as store:
        tower, memory, ravens, code = store.log()
        door = store.documents()[2]
        text = store.document(door.id).text
        best = code.citations[0]
        assert (best.document, text[best.start : best.end], best.score) == (door.id, text.strip(), 0.4517)
        assert code.answer
        assert ravens.answer
        assert tower.answer is None  # one of its four passages is of a document that was removed
        assert len(tower.citations) == 3
        assert memory.answer is None
    for path in directory.iterdir():
        assert b"Ravens sleep" not in path.read_bytes()


def test_a_migrated_schema_is_that_of_a_new_collection(directory, tmp_path):
    def schema(where):
        with Store.open(where) as store:
            tables = store._query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            columns = {table: store._query(f"PRAGMA table_info({table})") for (table,) in tables}
            keys = {table: sorted(store._query(f"PRAGMA foreign_key_list({table})")) for table in columns}
            indexes = sorted(store._query("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index'"))
            return columns, keys, indexes

    with Store.open(directory) as store:
        identity, head = store.identity, store.address_head()
    Store.create(tmp_path / "new", identity, head).close()
    assert schema(directory) == schema(tmp_path / "new")


def test_a_migration_that_is_cut_short_has_changed_nothing(directory, monkeypatch):
    def cut(sql, where):
        genuine(sql, where)
        raise KeyboardInterrupt

    genuine = Store.migrations[1]
    with monkeypatch.context() as patch:
        patch.setitem(Store.migrations, 1, cut)
        with pytest.raises(KeyboardInterrupt):
            Store.open(directory)
    with Store.open(directory) as store:
        assert len(store.documents()) == 3


def test_where_it_can_not_be_written_it_is_read_as_it_would_be(directory, monkeypatch):
    def refuse(*_, **__):
        raise Unwritten(30, "Read-only file system")

    class Unwritten(OSError):
        pass

    before = (directory / MANIFEST).read_bytes()
    monkeypatch.setattr("infinidoc.memory.manifest.FileLock.acquire", refuse)
    with Store.open(directory) as store:
        assert [Path(document.path).name for document in store.documents()] == ["bread.txt", "copy.txt", "door.txt"]
        assert len(store.log()) == 4
        with pytest.raises(InfinidocError, match="can't be written to"), store.writing():
            pass
    assert (directory / MANIFEST).read_bytes() == before


def test_text_that_is_no_unicode_has_a_content_digest_too():
    assert len({content_digest(text, marks) for text in ("a", "\ud800") for marks in ("[]", '[[0, "page 1"]]')}) == 4


def test_files_get_the_time_of_their_last_change_or_else_of_their_reading(directory):
    docs = directory.parent / "docs"
    docs.mkdir()
    for name, changed in (("bread.txt", 1e9), ("door.txt", 4e9)):  # 2001; 2096, so after it was read
        (docs / name).write_text("whatever is there now")
        os.utime(docs / name, (changed, changed))
    with Store.open(directory) as store:
        read = store.documents()[0].ingested_at
        assert {Path(file.path).name: file.modified for file in store.held_files()} == {
            "bread.txt": "2001-09-09T01:46:40+00:00",
            "copy.txt": read,
            "door.txt": read,
        }
