"""Which files a person means by the paths they give."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from infinidoc.documents.formats import refusal
from infinidoc.errors import InfinidocError

STDIN = "-"  # among paths: standard input, which is nothing to discover
_HEAD = 8192  # bytes of a file that tell text from binary


@dataclass(frozen=True)
class File:
    """A file to read. `name` is how to show it: relative to the working directory if it lies there. `size` in bytes."""

    path: Path
    name: str
    size: int


@dataclass(frozen=True)
class Skipped:
    """Something among the files that can't be read, and why."""

    name: str
    reason: str


def discover(
    paths: Sequence[str | Path], include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Iterator[File | Skipped]:
    """The files under `paths` (directories, files, globs with `**`), each once, in the paths' order, sorted within.

    In directories and globs, hidden files and what `.gitignore` files name are passed over; a file or directory that is
    itself a path is always taken. `include` and `exclude` are patterns in the manner of `.gitignore`, relative to the
    path that was given (for a glob: to its part before the first wildcard). "-", standard input, is passed over.

    Raises InfinidocError, before the first file, for a path that doesn't exist, a glob that matches nothing and a
    pattern that can't be understood.
    """
    wanted = _patterns("--include", include) if include else None
    unwanted = _patterns("--exclude", exclude)
    roots = [_root(str(path)) for path in paths if str(path) != STDIN]

    def each_once() -> Iterator[File | Skipped]:
        seen = set()
        for root, glob in roots:
            for path, relative in _walk(root, glob):
                if unwanted.match_file(relative) or (wanted and not wanted.match_file(relative)):
                    continue
                identity = _identity(path)
                if identity not in seen:
                    seen.add(identity)
                    yield _look(path)

    return each_once()


def _root(given: str) -> tuple[str, GitIgnoreSpec | None]:
    """Where to walk, and for a glob which files to take there."""
    path = os.path.abspath(os.path.expanduser(given))
    if given and "\0" not in given:
        if os.path.lexists(path):
            return path, None
        parts = Path(path).parts
        magic = next((i for i, part in enumerate(parts) if re.search(r"[*?\[]", part)), None)
        if magic is not None:
            root = str(Path(*parts[:magic]))
            glob = _patterns("path", ["/" + "/".join(parts[magic:])])
            if next(_walk(root, glob), None) is not None:
                return root, glob
            raise InfinidocError(
                f"no file matches {given}", "hidden files and those in .gitignore only count if you name them in full"
            )
    raise InfinidocError(f"no such file or directory: {given!r}")


def _patterns(option: str, lines: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise InfinidocError(f"can't understand the pattern of {option} {' '.join(lines)!r}") from error


def _walk(root: str, glob: GitIgnoreSpec | None) -> Iterator[tuple[str, str]]:
    """Every path at or below the root that is no directory and isn't ignored; and the same relative to the root."""
    if not os.path.isdir(root):
        if os.path.lexists(root):
            yield root, os.path.basename(root)
        return
    ignores = _Ignores(root)
    visited = set()  # so that a symlink to a parent ends
    stack = [root]
    while stack:
        path = stack.pop()
        relative = os.path.relpath(path, root).replace(os.sep, "/")
        if not os.path.isdir(path):
            if glob is None or glob.match_file(relative):
                yield path, relative
            continue
        identity = _identity(path)
        if identity in visited:
            continue
        visited.add(identity)
        try:
            names = sorted(os.listdir(path), reverse=True)  # the stack's top is the first
        except OSError:
            yield path, relative
            continue
        ignores.enter(path)
        children = (os.path.join(path, name) for name in names if not name.startswith("."))
        stack += [child for child in children if not ignores.cover(child)]


class _Ignores:
    """The `.gitignore` files that hold in a directory: its own, and those above it up to the repository's root."""

    def __init__(self, root: str):
        self._specs: dict[str, GitIgnoreSpec] = {}
        above = [str(parent) for parent in (Path(root), *Path(root).parents)]
        repository = next((path for path in above if os.path.lexists(os.path.join(path, ".git"))), None)
        if repository not in (None, root):
            outside = above[1 : above.index(repository) + 1]
            for path in outside:
                self.enter(path)
            # A directory that is ignored but was asked for is read, as if the rules that ignore it were not there.
            if any(self.cover(path) for path in [root, *outside[:-1]]):
                self._specs.clear()

    def enter(self, directory: str) -> None:
        path = os.path.join(directory, ".gitignore")
        if not os.path.isfile(path):
            return
        try:
            lines = Path(path).read_text("utf-8", errors="replace").splitlines()
        except OSError:
            return
        self._specs[directory] = GitIgnoreSpec.from_lines(line for line in lines if _valid(line))

    def cover(self, path: str) -> bool:
        """Whether the path itself is ignored. The nearest `.gitignore` that has a say decides."""
        if not self._specs:
            return False
        tail = "/" if os.path.isdir(path) else ""
        directory = path
        while (parent := os.path.dirname(directory)) != directory:
            directory = parent
            if spec := self._specs.get(directory):
                verdict = spec.check_file(os.path.relpath(path, directory).replace(os.sep, "/") + tail).include
                if verdict is not None:
                    return verdict
        return False


def _valid(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _identity(path: str) -> object:
    """What two names of the same file, such as a symlink and its target, have in common."""
    try:
        status = os.stat(path)
    except OSError:
        return path
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def _look(path: str) -> File | Skipped:
    name = _display(path)
    if not _is_utf8(path):
        return Skipped(name, "its name is not UTF-8: rename it")
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            os.listdir(path)
        if not stat.S_ISREG(status.st_mode):
            return Skipped(name, "not a regular file")
        with open(path, "rb") as file:
            reason = refusal(path, file.read(_HEAD))
    except PermissionError:
        return Skipped(name, "permission denied")
    except OSError as error:
        if os.path.islink(path):
            return Skipped(name, "broken symlink")
        return Skipped(name, (error.strerror or "can't be read").lower())
    return Skipped(name, reason) if reason else File(Path(path), name, status.st_size)


def _is_utf8(path: str) -> bool:
    """Whether the path can be kept in a database and printed; Linux allows any bytes in names."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _display(path: str) -> str:
    try:
        inside = os.path.relpath(path)
    except (OSError, ValueError):  # the working directory is gone, or on another drive
        inside = os.pardir
    shown = path if inside.split(os.sep)[0] == os.pardir else inside
    return os.fsencode(shown).decode("utf-8", "replace")
