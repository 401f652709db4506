import os
import socket
from pathlib import Path

import pytest

from infinidoc.documents.discovery import File, Skipped, discover
from infinidoc.documents.formats import ocr
from infinidoc.errors import InfinidocError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Makes files in an empty working directory."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def make(*names: str) -> None:
        for name in names:
            write(name, "some text\n")

    return make


def write(name: str, content: str | bytes) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def names(*args, **kwargs) -> list[str]:
    found = list(discover(*args, **kwargs))
    assert all(isinstance(file, File) for file in found), found
    return [file.name for file in found]


def test_directories_are_read_in_order(tree):
    tree("b.md", "a/z.txt", "a/b/c.txt", "a.txt", "c/d.py")
    assert names(["."]) == ["a/b/c.txt", "a/z.txt", "a.txt", "b.md", "c/d.py"]
    assert names(["c", "a.txt", "a"]) == ["c/d.py", "a.txt", "a/b/c.txt", "a/z.txt"]


def test_a_file_says_where_it_is_and_how_large(tree):
    tree("docs/a.txt")
    here = Path.cwd()
    expected = File(here / "docs/a.txt", "docs/a.txt", len("some text\n"))
    for given in ("docs", "./docs/", here / "docs", "docs/a.txt", "docs/../docs/a.txt", "docs/*.txt"):
        assert list(discover([given])) == [expected]


def test_outside_of_the_working_directory_names_are_absolute(tree, monkeypatch):
    tree("docs/a.txt", "work/x")
    outside = Path.cwd() / "docs/a.txt"
    monkeypatch.chdir("work")
    assert names(["../docs"]) == [str(outside)]


def test_each_file_comes_once(tree):
    tree("docs/a.txt", "docs/b.txt")
    os.symlink("a.txt", "docs/c.txt")
    assert names(["docs/b.txt", "docs", ".", "docs/*", "docs/b.txt"]) == ["docs/b.txt", "docs/a.txt"]


def test_hidden_files_are_passed_over_unless_named(tree):
    tree("docs/.hidden.txt", "docs/.git/config", "docs/seen.txt", ".secret/a.txt")
    assert names(["."]) == ["docs/seen.txt"]
    assert names(["docs/.hidden.txt", ".secret"]) == ["docs/.hidden.txt", ".secret/a.txt"]


def test_unfinished_files_are_passed_over_unless_named(tree):
    passed_over = ["a.txt~", "#a.txt#", "~$a.docx", "a.txt.swp", "a.tmp", "a.pdf.part", "a.pdf.crdownload", "A.PART"]
    tree("a.txt", "part", "apart.txt", "a~b.txt", "tmp/b.txt", *passed_over)
    assert sorted(names(["."])) == ["a.txt", "apart.txt", "a~b.txt", "part", "tmp/b.txt"]
    assert names(["a*"]) == ["a.txt", "apart.txt", "a~b.txt"]
    assert names(["a.pdf.part"]) == ["a.pdf.part"]


def test_only_what_changed_is_looked_at(tree):
    tree(
        "docs/a.txt", "docs/b/c.txt", "docs/b/d.txt", "docs/bc/e.txt", "docs/skip/f.txt", "docs/.h/g.txt", "other/i.txt"
    )
    write("docs/.gitignore", "skip/\n")
    here = Path.cwd()

    def found(*changed, **options):
        return names(["docs"], changed={str(here / one) for one in changed}, **options)

    assert found("docs/a.txt", "other/i.txt") == ["docs/a.txt"]
    assert found("docs/b") == ["docs/b/c.txt", "docs/b/d.txt"]
    assert found("docs") == found(".") == names(["docs"])
    assert found("docs/skip/f.txt", "docs/.h/g.txt", "docs/gone.txt", "docs/gone/too.txt") == []
    assert found("docs/b/c.txt", "docs/b/d.txt", exclude=["c.txt"]) == ["docs/b/d.txt"]
    assert names(["docs/*.txt"], changed={str(here / "docs")}) == ["docs/a.txt"]
    assert names(["docs/*.md", "nothing"], changed={str(here / "docs")}) == []


def test_gitignore_files_hold_below_them(tree):
    tree("keep.txt", "a.log", "sub/b.log", "sub/keep.log", "build/x.txt", "sub/build/x.txt", "sub/deep/only.txt")
    write(".gitignore", "# comment\n*.log\n/build/\n")
    write("sub/.gitignore", "!keep.log\nonly.txt\n")
    assert names(["."]) == ["keep.txt", "sub/build/x.txt", "sub/keep.log"]


def test_gitignore_files_above_hold_up_to_the_repository_root(tree):
    tree("repo/docs/a.txt", "repo/docs/a.tmp", "repo/docs/in/b.tmp", "repo/.git/HEAD", "repo/docs/a.bak")
    write(".gitignore", "*.bak\n")  # outside of the repository
    write("repo/.gitignore", "*.tmp\n")
    assert names(["repo/docs"]) == ["repo/docs/a.bak", "repo/docs/a.txt"]
    assert names(["repo/docs/in/b.tmp"]) == ["repo/docs/in/b.tmp"]


def test_an_ignored_directory_is_read_if_it_is_asked_for(tree):
    tree("repo/.git/HEAD", "repo/build/docs/a.txt", "repo/build/docs/b.txt")
    write("repo/.gitignore", "build/\n")
    write("repo/build/docs/.gitignore", "b.*\n")
    assert names(["repo"]) == []
    assert names(["repo/build/docs"]) == ["repo/build/docs/a.txt"]


def test_a_gitignore_with_nonsense_in_it_still_holds(tree):
    tree("a.txt", "b.txt")
    write(".gitignore", b"!\n\xff\xfe\n///\nb.txt\n")
    assert names(["."]) == ["a.txt"]


def test_include_and_exclude(tree):
    tree("docs/a.md", "docs/b.txt", "docs/old/c.md", "docs/new/d.md")
    assert names(["docs"], include=["*.md"]) == ["docs/a.md", "docs/new/d.md", "docs/old/c.md"]
    assert names(["docs"], exclude=["old/"]) == ["docs/a.md", "docs/b.txt", "docs/new/d.md"]
    assert names(["docs"], include=["*.md"], exclude=["/a.md", "new"]) == ["docs/old/c.md"]
    assert names(["docs"], include=["/new/**", "*.txt"]) == ["docs/b.txt", "docs/new/d.md"]
    assert names(["docs/a.md", "docs/b.txt"], exclude=["*.txt"]) == ["docs/a.md"]


def test_globs(tree):
    tree("docs/a.md", "docs/b.txt", "docs/in/c.md", "docs/in/deep/d.md", "docs/.x/e.md", "other/f.md", "docs/skip.md")
    write("docs/.gitignore", "skip.md\n")
    assert names(["docs/*.md"]) == ["docs/a.md"]
    assert names(["docs/**/*.md"]) == ["docs/a.md", "docs/in/c.md", "docs/in/deep/d.md"]
    assert names(["*/[bf].*"]) == ["docs/b.txt", "other/f.md"]
    assert names(["docs/i?"]) == ["docs/in/c.md", "docs/in/deep/d.md"]  # a directory that matches is read


def test_a_name_that_looks_like_a_glob_is_a_name_if_it_exists(tree):
    tree("notes[1].txt", "notes1.txt")
    assert names(["notes[1].txt"]) == ["notes[1].txt"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere", "no such file or directory: 'nowhere'"),
        ("", "no such file or directory: ''"),
        ("a\0b", "no such file or directory"),
        ("*.pdf", r"no file matches \*.pdf"),
        ("nowhere/*.pdf", "no file matches nowhere/"),
        (".hid*", r"no file matches .hid\*: hidden files"),
    ],
)
def test_what_is_not_there_is_an_error_before_the_first_file(tree, given, message):
    tree("a.txt", ".hidden")
    with pytest.raises(InfinidocError, match=message) as caught:
        discover(["a.txt", given])
    assert "\n" not in str(caught.value)


def test_a_pattern_that_makes_no_sense_is_an_error(tree):
    tree("a.txt")
    with pytest.raises(InfinidocError, match="--include"):
        discover(["."], include=["!"])


def test_files_without_a_reader_are_skipped_with_a_reason(tree, monkeypatch):
    monkeypatch.setattr(ocr, "is_installed", lambda: False)
    tree("a.txt")
    write("photo.PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    write("data.bin", b"\0\1\2")
    write("core", b"\0\1\2")
    write("logo.svg", "<svg/>")
    write("wide.txt", "größer\n".encode("utf-16-le"))
    assert list(discover(["."])) == [
        File(Path("a.txt").absolute(), "a.txt", 10),
        Skipped("core", "binary file"),
        Skipped("data.bin", "binary file, no reader for .bin"),
        Skipped("logo.svg", "no reader for .svg"),
        Skipped("photo.PNG", "a picture: pip install 'infinidoc[ocr]' reads them"),
        File(Path("wide.txt").absolute(), "wide.txt", 14),
    ]
    assert list(discover(["photo.PNG"])) == [Skipped("photo.PNG", "a picture: pip install 'infinidoc[ocr]' reads them")]


def test_symlinks_are_followed_and_loops_end(tree):
    tree("docs/a.txt", "elsewhere/b.txt")
    os.symlink("..", "docs/up")
    os.symlink("../elsewhere", "docs/linked")
    os.symlink("self", "docs/self")
    os.symlink("missing", "docs/broken")
    found = list(discover(["docs"]))
    assert [entry.name for entry in found if isinstance(entry, File)] == ["docs/a.txt", "docs/linked/b.txt"]
    assert [entry for entry in found if isinstance(entry, Skipped)] == [
        Skipped("docs/broken", "broken symlink"),
        Skipped("docs/self", "broken symlink"),
    ]


def test_pipes_and_sockets_are_never_opened(tree):
    os.mkfifo("pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.txt")
        expected = [Skipped("pipe.txt", "not a regular file"), Skipped("s.txt", "not a regular file")]
        assert list(discover(["."])) == expected
        assert list(discover(["pipe.txt", "s.txt"])) == expected


def test_what_may_not_be_read_is_skipped(as_nobody):
    write("a.txt", "a")
    write("b.txt", "b")
    write("locked/c.txt", "c")
    Path("b.txt").chmod(0)
    Path("locked").chmod(0)
    as_nobody()
    assert list(discover(["."])) == [
        File(Path("a.txt").absolute(), "a.txt", 1),
        Skipped("b.txt", "permission denied"),
        Skipped("locked", "permission denied"),
    ]


def test_a_name_that_is_not_utf_8_is_skipped(tree):
    """Linux allows it; a database and a terminal don't."""
    tree("good.txt")
    with open(b"bad-\xff.txt", "w") as file:
        file.write("some text\n")
    assert list(discover(["."])) == [
        Skipped("bad-\ufffd.txt", "its name is not UTF-8: rename it"),
        File(Path.cwd() / "good.txt", "good.txt", 10),
    ]
