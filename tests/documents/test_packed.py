"""Archives are folders: each document in one is a file of its own, and nothing leads out of them."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from infinidoc.documents import packed
from infinidoc.documents.discovery import File, Skipped, discover, is_gone
from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import load, read_document
from tests.documents import samples


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def found(*paths: str, **patterns: list[str]) -> tuple[list[str], dict[str, str]]:
    """The names of what can be read, and of what can't with the reasons."""
    items = list(discover(paths, **patterns))
    return [item.name for item in items if isinstance(item, File)], {
        item.name: item.reason for item in items if isinstance(item, Skipped)
    }


def texts(*paths: str) -> dict[str, str]:
    return {
        item.name: read_document(item.name, load(item.path)).text for item in discover(paths) if isinstance(item, File)
    }


MEMBERS = {"letters/roof.txt": b"Mend it.", "plan.docx": samples.word(), "letters/": b""}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", samples.archive(MEMBERS)),
        ("a.ZIP", samples.archive(MEMBERS)),
        ("a.tar.gz", tar({"letters/roof.txt": b"Mend it.", "./plan.docx": samples.word()})),
        ("a.tgz", tar({"letters/roof.txt": b"Mend it.", "plan.docx": samples.word()})),
        ("a.tar", tar({"letters/roof.txt": b"Mend it.", "plan.docx": samples.word()}, "w")),
    ],
)
def test_documents_in_an_archive_are_files_of_their_own(name, data):
    Path(name).write_bytes(data)
    read = texts(".")
    assert list(read) == [f"{name}/letters/roof.txt", f"{name}/plan.docx"]
    assert read[f"{name}/letters/roof.txt"] == "Mend it."
    assert "An apple is cheap." in read[f"{name}/plan.docx"]
    assert texts(name) == read


def test_documents_that_are_archives_inside_stay_documents():
    Path("a.docx").write_bytes(samples.word())
    Path("b.zip").write_bytes(samples.word())
    assert found(".") == (["a.docx", "b.zip"], {})


def test_patterns_mean_what_is_in_an_archive():
    Path("a.zip").write_bytes(samples.archive({"x/a.txt": b"a", "x/b.md": b"b", "y/c.txt": b"c"}))
    assert found(".", include=["*.txt"])[0] == ["a.zip/x/a.txt", "a.zip/y/c.txt"]
    assert found(".", exclude=["x/"])[0] == ["a.zip/y/c.txt"]
    assert found(".", exclude=["*.zip"]) == ([], {})


def test_hidden_files_and_rubbish_are_passed_over():
    names = [".git/config", "__MACOSX/._a.txt", "a/.DS_Store", "~$a.docx", "a.txt"]
    Path("a.zip").write_bytes(samples.archive(dict.fromkeys(names, b"x")))
    assert found("a.zip") == (["a.zip/a.txt"], {})


@pytest.mark.parametrize(
    "name", ["../secret.txt", "x/../../secret.txt", "/etc/secret.txt", "C:\\secret.txt", "..\\secret.txt"]
)
def test_names_that_lead_out_are_not_followed(name):
    Path("secret.txt").write_text("Quince")
    Path("in").mkdir()
    Path("in/a.zip").write_bytes(samples.archive({name: b"Damson", "a.txt": b"x"}))
    read, skipped = found("in")
    assert read == ["in/a.zip/a.txt"]
    ((shown, reason),) = skipped.items()
    assert reason == "its name leads out of the archive"
    assert ".." not in shown
    with pytest.raises(Unreadable):
        load(Path("in/a.zip", name))


@pytest.mark.parametrize(
    ("name", "encoding"), [("Müller.txt", "utf-8"), ("Отчёт за июнь.txt", "cp866"), ("会議室の予約.txt", "cp932")]
)
def test_names_in_old_encodings_are_letters(name, encoding):
    raw = name.encode(encoding)
    data = samples.archive({"x" * len(raw): b"x"}).replace(b"x" * len(raw), raw)  # without the flag of UTF-8
    Path("a.zip").write_bytes(data)
    assert texts("a.zip") == {f"a.zip/{name}": "x"}


def test_of_files_with_one_name_the_last_is_read():
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("a.txt", "old")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", "new")
    assert texts("a.zip") == {"a.zip/a.txt": "new"}
    assert found("a.zip")[1] == {"a.zip/a.txt": "its name is in the archive again, and that file is read"}


def test_what_can_not_be_read_gets_a_line():
    inner = samples.archive({"x.txt": b"x"})
    Path("a.zip").write_bytes(samples.archive({"b.zip": inner, "c.so": b"\x7fELF\0\1", "d.txt": b"x"}))
    reasons = {"a.zip/b.zip": "an archive: unpack it", "a.zip/c.so": "binary file, no reader for .so"}
    assert found("a.zip") == (["a.zip/d.txt"], reasons)


def test_damaged_archives_get_a_line():
    Path("a.zip").write_bytes(samples.archive({"a.txt": b"x" * 5000})[:90])
    Path("b.tgz").write_bytes(tar({"a.txt": b"x"})[:30])
    Path("c.tar.gz").write_bytes(b"\x1f\x8b" + b"garbage" * 9)
    damaged = "damaged: not a complete archive"
    assert found(".") == ([], {"a.zip": damaged, "b.tgz": damaged, "c.tar.gz": damaged})


def test_encrypted_members_and_archives_get_a_line():
    data = bytearray(samples.archive({"a.txt": b"x", "b.txt": b"y"}))
    first = data.index(b"PK\x01\x02")
    data[first + 8] |= 1
    Path("a.zip").write_bytes(data)
    assert found("a.zip") == (["a.zip/b.txt"], {"a.zip/a.txt": "encrypted"})
    data[data.index(b"PK\x01\x02", first + 4) + 8] |= 1
    Path("b.zip").write_bytes(data)
    assert found("b.zip") == ([], {"b.zip": "encrypted"})


def test_bombs_are_not_unpacked(monkeypatch):
    monkeypatch.setattr(packed, "MAX_UNPACKED", 1 << 20)
    bomb = {"a.txt": b"0" * 600_000, "b.txt": b"0" * 600_000}
    Path("a.zip").write_bytes(samples.archive(bomb))
    Path("b.tgz").write_bytes(tar(bomb))
    reason = "larger than 0 GB once unpacked"
    assert found(".") == ([], {"a.zip": reason, "b.tgz": reason})
    monkeypatch.setattr(packed, "MAX_MEMBERS", 3)
    Path("a.zip").write_bytes(samples.archive({f"{n}.txt": b"x" for n in range(4)}))
    assert found("a.zip") == ([], {"a.zip": "more than 3 files in it: unpack it"})


def test_links_in_archives_are_not_followed():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        link = tarfile.TarInfo("a.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    Path("a.tgz").write_bytes(file.getvalue())
    assert found("a.tgz") == ([], {})


def test_a_member_is_gone_once_the_archive_or_its_name_is():
    Path("a.zip").write_bytes(samples.archive({"a.txt": b"x", "b.txt": b"y"}))
    path = str(Path("a.zip/a.txt").absolute())
    assert not is_gone(path)
    assert is_gone(str(Path("a.zip/c.txt").absolute()))
    Path("a.zip").write_bytes(samples.archive({"b.txt": b"y"}))
    assert is_gone(path)
    Path("a.zip").write_bytes(b"PK\3\4 half")
    assert not is_gone(path)  # nobody knows
    Path("a.zip").unlink()
    assert is_gone(path)


def test_large_members_are_bounded(monkeypatch):
    from infinidoc.documents import formats

    monkeypatch.setattr(formats, "MAX_BYTES", 100)
    Path("a.zip").write_bytes(samples.archive({"a.txt": b"x" * 101}))
    with pytest.raises(Unreadable, match=r"^larger than"):
        load(Path("a.zip/a.txt"))
