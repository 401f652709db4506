"""Nothing that a disk can hold may stop a run: a file is a Document, or Unreadable with a few words that say why."""

import io
import json
import random
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infinidoc.documents import formats as readers
from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import archive, load, read_document
from tests.documents import samples
from tests.documents.compound import compound

FORMATS = [
    "pdf",
    "docx",
    "pptx",
    "xlsx",
    "epub",
    "odt",
    "ods",
    "odp",
    "fodt",
    "xls",
    "msg",
    "rtf",
    "html",
    "xhtml",
    "eml",
    "mbox",
    "json",
    "jsonl",
    "ipynb",
    "csv",
    "tsv",
    "txt",
    "py",
]
OPENDOCUMENT = ["odt", "ods", "odp"]
BINARY = ["pdf", "docx", "pptx", "xlsx", "epub", "xls", "msg", *OPENDOCUMENT]


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, bytes]:
    page = samples.html()
    return {
        "pdf": samples.pdf(samples.LONG * 8, "Two"),
        "docx": samples.word(),
        "pptx": samples.slides(),
        "xlsx": samples.workbook(),
        "epub": samples.epub(),
        "odt": samples.odt(),
        "ods": samples.ods(),
        "odp": samples.odp(),
        "fodt": samples.flat_opendocument("text", "<text:p>Quince</text:p>"),
        "xls": samples.old_workbook(),
        "msg": samples.outlook(),
        "rtf": samples.rtf(),
        "html": page,
        "xhtml": b'<?xml version="1.0" encoding="utf-8"?>' + page,
        "eml": samples.message().as_bytes(),
        "mbox": samples.mbox(tmp_path_factory.mktemp("mail")),
        "json": b'[{"a": {"b": [1, 2, {"c": null}]}}, {"a": "x"}]',
        "jsonl": b'{"a": 1}\n{"b": [1, 2]}\n',
        "ipynb": samples.notebook(),
        "csv": b'a;b\n"x;\ny";2\n',
        "tsv": b"a\tb\n1\t2\n",
        "txt": "größer\n".encode("utf-16"),
        "py": b"def f():\n    return 1\n",
    }


def outcome(name: str, data: bytes) -> Document | str:
    """The document, or why there is none; any other exception fails the test."""
    try:
        document = read_document(name, data)
    except Unreadable as error:
        reason = str(error)
        assert reason
        assert len(reason) < 80
        assert "\n" not in reason
        return reason
    assert document.text.strip()
    document.text.encode()  # no unpaired surrogates
    assert "\0" not in document.text
    assert [mark.start for mark in document.marks] == sorted({mark.start for mark in document.marks})
    assert all(0 <= mark.start < len(document.text) and mark.label for mark in document.marks)
    return document


def test_the_samples_are_good(good):
    assert set(good) == set(FORMATS)
    for suffix, data in good.items():
        assert isinstance(outcome(f"a.{suffix}", data), Document), suffix


@pytest.mark.parametrize("suffix", FORMATS)
def test_empty_files(suffix):
    assert outcome(f"a.{suffix}", b"") == "empty"


@pytest.mark.parametrize("suffix", ["txt", "md", "html", "csv", "tsv", "jsonl", "json"])
def test_files_with_nothing_but_space(suffix):
    assert outcome(f"a.{suffix}", b" \r\n\t\n\n") == "empty"


def test_documents_with_nothing_in_them():
    for suffix, source in [("docx", docx.Document()), ("xlsx", openpyxl.Workbook()), ("pptx", pptx.Presentation())]:
        file = io.BytesIO()
        source.save(file)
        assert outcome(f"a.{suffix}", file.getvalue()) == "empty"
    assert outcome("a.ipynb", b'{"cells": []}') == "empty"
    assert outcome("a.html", b"<html><script>only()</script></html>") == "empty"


def test_a_pdf_without_text():
    assert str(outcome("scan.pdf", samples.pdf("", ""))).startswith("no text ")


@pytest.mark.parametrize("suffix", BINARY)
def test_bytes_that_call_themselves_something_else(suffix):
    assert str(outcome(f"a.{suffix}", b"\0\1\2\3 no such thing" * 50)).startswith("damaged")


@pytest.mark.parametrize("suffix", ["txt", "md", "py", "html", "csv", "jsonl", "json"])
def test_binary_that_calls_itself_text(suffix):
    assert outcome(f"a.{suffix}", b"\x7fELF\0\1\2" * 100) in ("binary file", f"binary file, no reader for .{suffix}")


def test_binary_of_unknown_kind():
    assert outcome("a.so", b"\x7fELF\0\1\2") == "binary file, no reader for .so"
    assert outcome("core", b"\x7fELF\0\1\2") == "binary file"


def test_an_encrypted_pdf():
    assert outcome("a.pdf", samples.pdf("secret", password="pass")) == "encrypted"


def test_encrypted_office_files():
    for suffix in ("docx", "pptx", "xlsx"):
        assert outcome(f"a.{suffix}", compound({"EncryptedPackage": bytes(9)})) == "encrypted"
        assert "Office format" in str(outcome(f"a.{suffix}", compound({"Other": bytes(9)})))


def test_an_encrypted_epub():
    encryption = '<encryption xmlns:e="x"><e:CipherReference URI="OEBPS/text/b%20b.xhtml"/></encryption>'
    assert outcome("a.epub", samples.epub({"META-INF/encryption.xml": encryption})) == "encrypted"


def test_an_encrypted_archive(good):
    data = bytearray(good["docx"])
    entry = data.index(b"PK\x01\x02")
    data[entry + 8] |= 1  # the flag in the archive's directory
    assert outcome("a.docx", bytes(data)) == "encrypted"


PARTS = {
    "docx": "document.xml",
    "pptx": "slide1.xml",
    "xlsx": "sheet1.xml",
    "epub": "book.opf",
    **dict.fromkeys(OPENDOCUMENT, "content.xml"),
}


@pytest.mark.parametrize("suffix", PARTS)
def test_nothing_that_markup_refers_to_is_fetched(suffix, good, tmp_path):
    """Behind every tag of a part stands an entity that names a file."""
    (tmp_path / "secret.txt").write_text("Quince")
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{(tmp_path / "secret.txt").as_uri()}">]>'.encode()
    members = samples.members(good[suffix])
    (name,) = (name for name in members if f"/{name}".endswith("/" + PARTS[suffix]))
    root = re.search(rb"<[^?!][^>]*[^/]>", members[name])
    assert root
    declaration = members[name][: root.start()]
    members[name] = declaration + doctype + re.sub(rb"(<[^?!/][^>]*[^/]>)", rb"\1&e;", members[name][root.start() :])
    document = outcome(f"a.{suffix}", samples.archive(members))
    assert "Quince" not in (document.text if isinstance(document, Document) else document)


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx", "epub", *OPENDOCUMENT])
def test_a_zip_bomb_is_not_unpacked(suffix, monkeypatch):
    bomb = samples.archive({"a.xml": b"0" * 600_000, "b.xml": b"0" * 600_000})
    assert len(bomb) < 5000
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1 << 20)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    assert outcome(f"a.{suffix}", bomb) == "larger than 1 MB once unpacked"


@pytest.mark.parametrize("suffix", ["html", "xhtml", "json", "jsonl", "ipynb", "eml", "epub"])
def test_deep_nesting(suffix):
    page = b"<div>" * 100_000 + b"x"
    data = {
        "eml": b"Subject: x\nContent-Type: text/html\n\n" + page,
        "epub": samples.epub({"OEBPS/text/a.xhtml": page.decode()}),
        "ipynb": b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    }.get(suffix, b'{"a":' * 100_000 + b"1" + b"}" * 100_000 if suffix.startswith("json") else page)
    outcome(f"a.{suffix}", data)
    deep = b"<div><b>" * 2000 + b"x"
    if suffix == "html":
        assert outcome("a.html", page) == "nested too deeply"
        assert isinstance(outcome("a.html", deep), Document)


@pytest.mark.parametrize("suffix", FORMATS)
def test_files_that_were_cut_off_or_damaged(suffix, good):
    data = good[suffix]
    rng = random.Random(suffix)
    for _ in range(25):
        outcome(f"a.{suffix}", data[: rng.randrange(len(data))])
        hurt = bytearray(data)
        for _ in range(rng.randrange(1, 20)):
            hurt[rng.randrange(len(hurt))] = rng.randrange(256)
        outcome(f"a.{suffix}", bytes(hurt))
        at = rng.randrange(len(data))
        outcome(f"a.{suffix}", data[:at] + rng.randbytes(8) + data[at + 30 :])


def test_no_library_talks_to_the_terminal(good, tmp_path):
    """In a process of its own: pytest catches the warnings and log messages that a person would see."""
    with zipfile.ZipFile(io.BytesIO(good["xlsx"])) as source:
        members = {name: source.read(name) for name in source.namelist()}
    unstyled = b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>'
    data = samples.archive({**members, "xl/styles.xml": unstyled})
    with pytest.warns(UserWarning, match="stylesheet"):
        openpyxl.load_workbook(io.BytesIO(data), read_only=True)
    (tmp_path / "a.xlsx").write_bytes(data)
    for suffix in BINARY:
        for share in (0.3, 0.9, 0.99):
            (tmp_path / f"{share}.{suffix}").write_bytes(good[suffix][: int(share * len(good[suffix]))])
        (tmp_path / f"b.{suffix}").write_bytes(good[suffix].replace(b"stream", b"scream").replace(b"<", b"", 3))
    code = """
import sys
from pathlib import Path
from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import load, read_document
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read_document(path.name, load(path))
    except Unreadable as error:
        pass
"""
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("suffix", BINARY)
def test_half_a_file_is_damaged(suffix, good):
    reason = outcome(f"a.{suffix}", good[suffix][: len(good[suffix]) // 2])
    assert isinstance(reason, str)
    assert reason.startswith("damaged")


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx", "epub", *OPENDOCUMENT])
def test_archives_with_strange_insides(suffix, good):
    """Valid zip archives, in which one member at a time is missing, empty or nonsense."""
    with zipfile.ZipFile(io.BytesIO(good[suffix])) as source:
        members = {name: source.read(name) for name in source.namelist() if not name.endswith("/")}
    rng = random.Random(suffix)
    for name in rng.sample(sorted(members), min(12, len(members))):
        outcome(f"a.{suffix}", samples.archive({key: value for key, value in members.items() if key != name}))
        for content in (b"", b"<a><b></a>", members[name][: len(members[name]) // 2]):
            outcome(f"a.{suffix}", samples.archive({**members, name: content}))


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=2000) | st.text(max_size=500).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(suffix, data):
    outcome(f"a.{suffix}", data)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(value=json_values, suffix=st.sampled_from(["json", "jsonl", "ipynb"]))
def test_any_json(value, suffix):
    outcome(f"a.{suffix}", json.dumps(value).encode())
    if suffix == "ipynb":
        outcome("a.ipynb", json.dumps({"cells": value}).encode())
        outcome("a.ipynb", json.dumps({"cells": [{"source": value, "outputs": value}]}).encode())


# Loading


def test_enormous_files_are_not_read(tmp_path, monkeypatch):
    assert readers.MAX_BYTES == 256 << 20
    path = tmp_path / "huge.txt"
    with open(path, "wb") as file:
        file.truncate(readers.MAX_BYTES + 1)  # sparse: takes no room on the disk
    with pytest.raises(Unreadable, match=r"^larger than 256 MB: split it$"):
        load(path)


def test_a_file_of_just_the_size_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_BYTES", 4)
    path = tmp_path / "a.txt"
    path.write_bytes(b"1234")
    assert load(path) == b"1234"
    path.write_bytes(b"12345")
    with pytest.raises(Unreadable, match="larger"):
        load(path)


def test_files_that_vanish_or_are_closed(tmp_path):
    with pytest.raises(Unreadable, match=r"^no such file or directory$"):
        load(tmp_path / "gone.txt")
    with pytest.raises(Unreadable, match=r"^is a directory$"):
        load(tmp_path)


def test_files_that_may_not_be_read(as_nobody):
    path = Path("a.txt")
    path.write_text("x")
    path.chmod(0)
    as_nobody()
    with pytest.raises(Unreadable, match=r"^permission denied$"):
        load(path)
