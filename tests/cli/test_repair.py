"""A damaged collection is looked at, and mended from what it still has: the same addresses and the same memory."""

import sqlite3

import pytest

from infinidoc.errors import Damaged
from infinidoc.memory.check import check, salvage
from infinidoc.memory.manifest import MANIFEST
from infinidoc.memory.store import Store
from infinidoc.reading.collection import Collection
from infinidoc.reading.repair import repair
from tests.memory.test_migrations import put
from tests.reading.library import content, write_library


@pytest.fixture
def collection(tiny, tmp_path):
    docs = write_library(tmp_path / "work" / "docs", count=6)
    (docs / "copy.txt").write_text((docs / "log-03.txt").read_text())
    with Collection.open("ships", str(tiny), memory=True) as collection:
        collection.ingest([docs])
    with Collection.open("ships", str(tiny)) as again:
        yield again


def faults(collection):
    with Store.open(collection.directory) as store:
        return check(store).lines


def spoil(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)


def test_a_healthy_collection_is_whole_and_left_alone(collection):
    before = {path.name: path.read_bytes() for path in collection.directory.glob("*.safetensors")}
    assert faults(collection) == []
    done = repair(collection)
    assert (done.faults, done.read_again, done.lost) == ([], [], [])
    assert collection._models.find(lambda loaded: True) is None  # no model was loaded
    assert {path.name: path.read_bytes() for path in collection.directory.glob("*.safetensors")} == before


@pytest.mark.parametrize("kind", ["addresses", "state"])
@pytest.mark.parametrize("harm", [spoil, lambda path: path.unlink()])
def test_lost_tensors_are_made_again_from_the_text(collection, kind, harm):
    before = content(collection.directory)
    (file,) = collection.directory.glob(f"{kind}-*")
    harm(file)
    (fault,) = faults(collection)
    assert fault.startswith(file.name)
    done = repair(collection)
    assert len(done.faults) == 1
    assert len(done.read_again) == (6 if kind == "addresses" else 0)
    assert faults(collection) == []
    after = content(collection.directory)
    assert after["documents"] == before["documents"]
    assert after["passages"] == before["passages"]
    for mine, theirs in zip(after["state"], before["state"], strict=True):
        for values, expected in zip(mine, theirs, strict=True):
            assert flat(values) == pytest.approx(flat(expected), rel=1e-3, abs=1e-3)
    assert "copy.txt" in str(collection.documents())
    assert collection.search("Which ship?")


def flat(values):
    return [number for value in values for number in flat(value)] if isinstance(values, list) else [values]


def test_what_can_be_read_of_a_torn_manifest_is_saved(collection):
    with sqlite3.connect(collection.directory / MANIFEST) as sql:
        (root,) = sql.execute("SELECT rootpage FROM sqlite_master WHERE name = 'passages_by_row'").fetchone()
        (size,) = sql.execute("PRAGMA page_size").fetchone()
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sql.close()
    before = content(collection.directory)
    with (collection.directory / MANIFEST).open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)
    with pytest.raises(Damaged, match="infinidoc collections check ships"):
        collection.store.addresses()
    collection.close()
    done = repair(collection)
    assert "the manifest was damaged" in done.faults
    assert done.lost == []
    assert faults(collection) == []
    after = content(collection.directory)
    assert after["documents"] == before["documents"]
    assert after["passages"] == before["passages"]
    assert collection.store.state()[0].tokens.item() == sum(document.tokens for document in collection.documents())


def test_of_what_nothing_is_left_nothing_is_made_up(collection):
    (collection.directory / MANIFEST).write_bytes(b"no database" * 1000)
    with pytest.raises(Damaged, match=r"nothing in .* can be read.*remove the collection"):
        repair(collection)
    assert (collection.directory / MANIFEST).read_bytes() == b"no database" * 1000


def test_an_older_format_is_brought_up_to_date_first_and_not_emptied_if_it_is_torn(tmp_path):
    directory = put(tmp_path / "work")
    with Collection.open(create=False) as collection:
        assert repair(collection).faults == []
        assert len(collection.documents()) == 3
    torn = put(tmp_path / "torn")
    with sqlite3.connect(torn / MANIFEST) as sql:
        (root,) = sql.execute("SELECT rootpage FROM sqlite_master WHERE name = 'documents'").fetchone()
        (size,) = sql.execute("PRAGMA page_size").fetchone()
    sql.close()
    with (torn / MANIFEST).open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)
    before = (torn / MANIFEST).read_bytes()
    with pytest.raises(Damaged, match="older format"):
        salvage(torn)
    assert (torn / MANIFEST).read_bytes() == before
    assert directory.exists()


def test_the_commands_say_what_is_wrong_and_mend_it(collection, run):
    code, out, _ = run("collections", "check", "ships")
    assert (code, "is whole: 6 documents" in out) == (0, True)
    (file,) = collection.directory.glob("addresses-*")
    file.unlink()
    code, out, err = run("collections", "check", "ships")
    assert (code, out.strip()) == (1, f"{file.name} is missing")
    assert "infinidoc collections repair ships" in err
    code, out, _ = run("collections", "repair", "ships")
    assert code == 0
    assert "read anew: 6" in out
    assert run("collections", "check", "ships")[0] == 0
    (collection.directory / MANIFEST).write_bytes(b"no database" * 1000)
    code, out, err = run("collections", "list")
    assert (code, "ships" in out, "is damaged" in err) == (0, True, True)
    code, out, _ = run("collections", "check", "ships", "--json")
    assert (code, "is damaged" in out) == (1, True)
    assert run("collections", "remove", "ships", "--yes")[0] == 0
    assert not collection.directory.exists()
