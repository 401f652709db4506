"""Files that clients bring: read, kept inside the collection, and nowhere else."""

import errno
import io
import shutil
import threading
import time
import zipfile

import pytest

from infinidoc.errors import InfinidocError, Unwritable
from infinidoc.memory import places
from infinidoc.memory.uploads import LONGEST, Upload, keep, relative_path
from infinidoc.reading import run
from infinidoc.reading.collection import Collection
from tests.serving.conftest import multipart, served

TEXT = b"The Zenobia carries 41 tons of amber."
EVIL = (
    "../x.txt", "/x.txt", "a/../../x.txt", "a/..", "..", ".", "./x.txt", "a//x.txt", "a/", "..\\x.txt", "C:\\x.txt",
    "\\\\host\\x.txt", ".hidden", "a/.git/config", "x.txt:stream", "con", "a/NUL.txt", "x.", "x ", " ", "x\x01.txt",
    "x\u202etxt.exe", "a/" * 40 + "x.txt", "x" * 300,
)  # fmt: skip


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "models" not in path.parts)


def test_names_that_lead_elsewhere_are_refused(server, tmp_path):
    before = everything(tmp_path)
    for name in EVIL:
        if name.startswith(("C:", "\\\\")):
            continue  # of those that old browsers sent the parser itself takes the last part
        reply = server.upload("ships", {"good.txt": TEXT, name: TEXT})
        assert reply.status == 422, name
        assert "can't name a file" in reply.error["message"]
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", [*EVIL, "", "a\0b", "a\nb", "\ud800"])
def test_no_such_name_has_a_place(name):
    with pytest.raises(InfinidocError):
        relative_path(name)


@pytest.mark.parametrize("name", ["a.txt", "a/b/c d.txt", "Käse/日本.pdf", "a..b", "x" * LONGEST, "a\\b.txt"])
def test_plain_names_have_a_place(name):
    assert relative_path(name).as_posix() == name.replace("\\", "/")
    assert not relative_path(name).is_absolute()


def test_a_link_that_leads_out_is_not_followed(server, home, tmp_path):
    (uploads := home / "collections" / "ships" / "uploads").mkdir()
    (uploads / "out").symlink_to(tmp_path)
    assert server.upload("ships", {"out/x.txt": TEXT}).status == 422
    assert not (tmp_path / "x.txt").exists()


def test_a_file_is_no_folder(server):
    assert server.read_in("ships", {"a": TEXT})[0] == "done"
    assert "a file and a folder" in server.upload("ships", {"a/b.txt": TEXT}).error["message"]


def test_an_upload_makes_a_collection_where_it_may(server, home):
    assert server.read_in("new", {"x.txt": TEXT})[1]["added"] == 1
    assert [row["id"] for row in server("GET", "/api/collections").json["collections"]] == ["new", "ships"]
    for name in ("%2e", "..%2fx", "_", "-x", "a%20b"):
        assert server.upload(name, {"x.txt": TEXT}).status in (404, 422), name
    assert sorted(path.name for path in (home / "collections").iterdir()) == ["new", "ships"]


def test_a_server_of_some_collections_has_no_others(ships):
    with Collection.open("hidden") as hidden:
        hidden.ingest([ships])
    with served(only=["ships", "to-come"]) as client:
        assert [row["id"] for row in client("GET", "/api/collections").json["collections"]] == ["ships", "to-come"]
        assert client("POST", "/api/collections/hidden/ask", {"question": "What?"}).status == 404
        assert client.upload("hidden", {"x.txt": TEXT}).status == 404
        assert client.upload("other", {"x.txt": TEXT}).status == 404
        assert client("POST", "/api/collections/to-come/ask", {"question": "What?"}).status == 404
        assert client.read_in("to-come", {"x.txt": TEXT})[1]["added"] == 1


def test_what_cant_be_read_is_reported_and_not_kept(server, home):
    name, summary = server.read_in("ships", {"x.txt": TEXT, "sub/program.exe": b"MZ\x90\x00" + bytes(500)})
    assert (name, summary["added"]) == ("done", 1)
    assert [skipped["name"] for skipped in summary["skipped"]] == ["sub/program.exe"]
    assert everything(home / "collections" / "ships" / "uploads") == ["x.txt"]


def test_a_file_takes_the_place_of_the_one_before(server, home):
    server.read_in("ships", {"x.txt": TEXT})
    assert server.read_in("ships", {"x.txt": b"The Zenobia carries tea."})[1]["replaced"] == 1
    assert (home / "collections" / "ships" / "uploads" / "x.txt").read_bytes() == b"The Zenobia carries tea."
    assert server.read_in("ships", {"x.txt": b"The Zenobia carries tea."})[1]["unchanged"] == 1
    (row,) = [row for row in server("GET", "/api/collections/ships/documents").json["documents"]
              if row["document"] == "x.txt"]  # fmt: skip
    assert row["bytes"] == len(b"The Zenobia carries tea.")


def test_a_document_goes_with_all_its_copies(server, home):
    server.read_in("ships", {"x.txt": TEXT, "y.txt": TEXT})
    (row,) = [row for row in server("GET", "/api/collections/ships/documents").json["documents"] if row["copies"]]
    assert server("DELETE", f"/api/collections/ships/documents/{row['id']}").status == 204
    assert not (home / "collections" / "ships" / "uploads").exists()


def test_an_archive_stays_until_a_document_in_it_is_removed(server, home):
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
        archive.writestr("2026/x.txt", TEXT)
        archive.writestr("2026/y.txt", "The Amalia carries tea.")
    letters = home / "collections" / "ships" / "uploads" / "letters.zip"
    assert server.read_in("ships", {"letters.zip": packed.getvalue()})[1]["added"] == 2
    assert letters.read_bytes() == packed.getvalue()
    assert "a file and a folder" in server.upload("ships", {"letters.zip/2026/x.txt": TEXT}).error["message"]

    rows = server("GET", "/api/collections/ships/documents").json["documents"]
    (x,) = [row for row in rows if row["document"] == "letters.zip/2026/x.txt"]
    assert server("DELETE", f"/api/collections/ships/documents/{x['id']}").status == 204
    assert not letters.exists()  # with what was removed
    rest = [row["document"] for row in server("GET", "/api/collections/ships/documents").json["documents"]]
    assert "letters.zip/2026/y.txt" in rest
    (y,) = [row for row in rows if row["document"] == "letters.zip/2026/y.txt"]
    place = server("GET", f"/api/collections/ships/documents/{y['id']}/place?start=0&end=10").json
    assert place["lines"][0]["text"] == "The Amalia carries tea."
    assert server("DELETE", f"/api/collections/ships/documents/{y['id']}").status == 204


def test_files_of_ones_own_stay_when_their_document_goes(server, ships):
    for row in server("GET", "/api/collections/ships/documents").json["documents"]:
        assert server("DELETE", f"/api/collections/ships/documents/{row['id']}").status == 204
    assert server("GET", "/api/collections/ships/documents").json["documents"] == []
    assert len(list(ships.iterdir())) == 3
    reply = server("POST", "/api/collections/ships/ask", {"question": "What?"})
    assert (reply.status, "empty" in reply.error["message"]) == (422, True)


def test_uploads_go_where_their_collection_goes(server, home):
    server.read_in("ships", {"sub/x.txt": TEXT})
    places.rename("ships", "boats")
    (row,) = [row for row in server("GET", "/api/collections/boats/documents").json["documents"]
              if row["document"] == "sub/x.txt"]  # fmt: skip
    moved = home / "collections" / "boats" / "uploads" / "sub" / "x.txt"
    assert row["path"] == str(moved)
    assert moved.read_bytes() == TEXT
    with Collection.open("boats") as boats:
        boats.remove(boats.find("x.txt"))
    assert not moved.exists()
    assert server("GET", "/api/collections/ships/documents").status == 404


def test_a_projects_own_collection_keeps_its_uploads_when_it_gets_a_name(lenient, home, tmp_path):
    (tmp_path / "work" / "own.txt").write_text("The Amalia carries grain.")
    with Collection.open() as own:
        own.ingest(["own.txt"])
    with served() as client:
        assert client.read_in("_", {"x.txt": TEXT})[1]["added"] == 1
        (row,) = client("GET", "/api/collections").json["collections"]
        assert (row["id"], row["name"], row["documents"]) == ("_", "work", 2)
    assert (tmp_path / "work" / ".infinidoc" / "uploads" / "x.txt").exists()
    places.rename(".", "named")
    with Collection.open("named") as named:
        paths = [document.path for document in named.documents()]
    assert paths == sorted(
        [str(home / "collections" / "named" / "uploads" / "x.txt"), str(tmp_path / "work" / "own.txt")]
    )


def test_too_many_files_and_no_files_are_refused(server):
    assert server.upload("ships", {}).status in (400, 422)
    assert server.upload("ships", {f"{number}.txt": b"x" for number in range(1_001)}).status == 400
    body, _ = multipart({"x.txt": TEXT})
    for kind in ("multipart/form-data", "application/json", "text/plain"):
        assert server("POST", "/api/collections/ships/documents", body, {"Content-Type": kind}).status in (400, 422)


def test_a_job_tells_how_far_it_is(server):
    job = server.upload("ships", {f"{number}.txt": TEXT + b"%d" % number for number in range(5)}).json
    assert job["progress"]["files"] == 5
    events = server.events("GET", f"/api/jobs/{job['job']}/events")
    *progress, (last, summary) = events
    assert {name for name, _ in progress} == {"progress"}
    done = [data["bytes_done"] for _, data in progress]
    assert done == sorted(done)
    assert (last, summary["added"]) == ("done", 5)
    state = server("GET", f"/api/jobs/{job['job']}").json
    assert (state["state"], state["summary"]["added"], state["error"]) == ("done", 5, None)
    assert server.events("GET", f"/api/jobs/{job['job']}/events")[-1] == events[-1]


def test_a_home_that_is_a_link_is_the_same_home(lenient, home, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(home)
    monkeypatch.setenv("INFINIDOC_HOME", str(tmp_path / "link"))
    with served() as client:
        assert client.read_in("new", {"sub/x.txt": TEXT, "y.txt": b"tea"})[1]["added"] == 2
        rows = client("GET", "/api/collections/new/documents").json["documents"]
        assert [row["document"] for row in rows] == ["sub/x.txt", "y.txt"]
        assert client("DELETE", f"/api/collections/new/documents/{rows[0]['id']}").status == 204
    assert everything(home / "collections" / "new" / "uploads") == ["y.txt"]


@pytest.fixture
def held(monkeypatch):
    """An ingest that waits at its second file: (whether it is there, what lets it go on)."""
    there, go_on, load, read = threading.Event(), threading.Event(), run.load, []

    def loading(path):
        read.append(path)
        if len(read) == 2:
            there.set()
            assert go_on.wait(60)
        return load(path)

    monkeypatch.setattr(run, "load", loading)
    return there, go_on


def test_a_job_can_be_stopped_and_keeps_what_was_read(server, held, home):
    there, go_on = held
    job = server.upload("ships", {f"{number}.txt": TEXT + b"%d" % number for number in range(5)}).json["job"]
    assert there.wait(60)
    assert server("GET", f"/api/jobs/{job}").json["state"] == "reading"
    reply = server("DELETE", "/api/collections/ships/documents/1")
    assert (reply.status, reply.error["code"]) == (409, "conflict")
    assert server("POST", f"/api/jobs/{job}/stop").status == 200
    go_on.set()
    *_, (name, summary) = server.events("GET", f"/api/jobs/{job}/events")
    assert (name, server("GET", f"/api/jobs/{job}").json["state"]) == ("done", "stopped")
    rows = server("GET", "/api/collections/ships/documents").json["documents"]
    assert summary["added"] == len(rows) - 3 < 5
    assert len(everything(home / "collections" / "ships" / "uploads")) == summary["added"]


def test_jobs_are_listed_newest_first(server):
    assert server("GET", "/api/jobs").json == {"jobs": []}
    for name in ("x.txt", "y.txt"):
        server.read_in("ships", {name: TEXT})
    newest, oldest = server("GET", "/api/jobs").json["jobs"]
    assert (newest["summary"]["copies"], oldest["summary"]["added"]) == (1, 1)
    assert newest == server("GET", f"/api/jobs/{newest['job']}").json


def test_a_job_that_is_stopped_before_it_begins_leaves_only_what_another_one_reads(server, held, home):
    there, go_on = held
    first = server.upload("ships", {"1.txt": TEXT, "2.txt": TEXT + b"2"}).json["job"]
    assert there.wait(60)
    stopped = server.upload("ships", {"x.txt": b"tea", "y.txt": b"wine"}).json["job"]
    last = server.upload("ships", {"y.txt": b"The Zenobia carries wine."}).json["job"]
    assert server("POST", f"/api/jobs/{stopped}/stop").json["state"] == "stopped"
    go_on.set()
    for job in (first, last):
        assert server.events("GET", f"/api/jobs/{job}/events")[-1][0] == "done"
    assert everything(home / "collections" / "ships" / "uploads") == ["1.txt", "2.txt", "y.txt"]


def test_what_a_server_that_was_killed_had_not_read_is_read_by_the_next_one(lenient, home):
    """Also if the collection was not made yet, and a file only half there."""
    directory = home / "collections" / "new"
    parcel = keep(directory, [Upload("sub/x.txt", io.BytesIO(TEXT)), Upload("y.txt", io.BytesIO(b"tea"))])
    parcel.files[1].rename(directory / "uploads" / ".y.txt.01ab.tmp")
    assert parcel.note.exists()
    with served(only=["other"]) as client:
        assert client("GET", "/api/jobs").json == {"jobs": []}
    with served() as client:
        (job,) = client("GET", "/api/jobs").json["jobs"]
        assert client.events("GET", f"/api/jobs/{job['job']}/events")[-1][1]["added"] == 1
        (row,) = client("GET", "/api/collections/new/documents").json["documents"]
        assert row["document"] == "sub/x.txt"
    assert everything(directory / "uploads") == ["sub", "sub/x.txt"]


def test_a_server_that_ends_leaves_what_it_has_not_read_to_the_next_one(ships, held, home):
    there, go_on = held
    with served() as client:
        client.upload("ships", {"1.txt": TEXT, "2.txt": TEXT + b"2"})
        assert there.wait(60)
        waiting = client.upload("ships", {"3.txt": TEXT + b"3"}).json["job"]
        jobs = client.app.state.jobs
        ending = threading.Thread(target=jobs.close)
        ending.start()
        while not jobs.find(waiting).ended:
            time.sleep(0.01)
        go_on.set()
        ending.join()
    with served() as client:
        for job in client("GET", "/api/jobs").json["jobs"]:
            client.events("GET", f"/api/jobs/{job['job']}/events")
    assert everything(home / "collections" / "ships" / "uploads") == ["1.txt", "2.txt", "3.txt"]
    with Collection.open("ships") as collection:
        assert len(collection.documents()) == 3 + 3


def test_a_job_that_fails_says_why_and_keeps_nothing(server, monkeypatch, home):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def ingest(self, *_, **__):
        raise Unwritable("the disk is full", "make room")

    monkeypatch.setattr(Collection, "ingest", ingest)
    job = server.upload("ships", {"x.txt": TEXT}).json["job"]
    (name, data) = server.events("GET", f"/api/jobs/{job}/events")[-1]
    assert (name, data["error"]["message"]) == ("error", "the disk is full: make room")
    assert not (home / "collections" / "ships" / "uploads").exists()
    monkeypatch.setattr(shutil, "copyfileobj", full)
    reply = server.upload("ships", {"y.txt": TEXT})
    assert reply.status == 409
    assert "no space left" in reply.error["message"]
    assert not (home / "collections" / "ships" / "uploads").exists()
