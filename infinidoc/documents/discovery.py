"""Which files a person means by the paths they give."""

import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from infinidoc.documents import packed
from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import ARCHIVE, refusal
from infinidoc.errors import InfinidocError

STDIN = "-"  # among paths: standard input, which is nothing to discover
_HEAD = 8192  # bytes of a file that tell text from binary
# Hidden files, editors' copies and locks (notes.txt~, #notes.txt#, ~$notes.docx), and downloads on their way.
_PASSED_OVER = re.compile(
    r"\..*|~\$.*|#.*#|.*(~|\.(swp|tmp|part|partial|crdownload|download))", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class File:
    """A file to read. `name` is how to show it: relative to the working directory if it lies there. `size` in bytes."""

    path: Path
    name: str
    size: int


@dataclass(frozen=True)
class Skipped:
    """Something among the files that can't be read, and why. `passing` says that nobody knows what is there now: it may
    be read again later."""

    name: str
    reason: str
    path: str = field(default="", compare=False, repr=False)
    passing: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True)
class Root:
    """What a path that was given stands for: a file or directory, or those of a directory's files that match a glob."""

    given: str
    path: str
    glob: GitIgnoreSpec | None = None

    def covers(self, path: str) -> bool:
        """Whether a file is meant by it, be the file there or not."""
        if self.glob is None and path == self.path:
            return True
        below = path.removeprefix(self.path.rstrip(os.sep) + os.sep)
        if below == path:
            return False
        return self.glob is None or self.glob.match_file(below.replace(os.sep, "/"))


def discover(
    paths: Sequence[str | Path],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    known: Collection[str] = (),
    changed: Set[str] | None = None,
) -> Iterator[File | Skipped]:
    """The files under `paths` (directories, files, globs with `**`), each once, in the paths' order, sorted within.

    In directories and globs, hidden and unfinished files (`~$notes.docx`, `film.part`) and what `.gitignore` files name
    are passed over; a file or directory that is itself a path is always taken. `include` and `exclude` are patterns in
    the manner of `.gitignore`, relative to the path that was given (for a glob: to its part before the first wildcard).
    "-", standard input, is passed over.
    Of all these, only files at or below the `changed` paths (absolute) are looked at, where those are given.

    Raises InfinidocError, before the first file, for a path that doesn't exist and a glob that matches nothing, unless
    it means one of the `known` files, which may be gone, or only what `changed` is wanted; and for a pattern that can't
    be understood.
    """
    wanted = _patterns("--include", include) if include else None
    unwanted = _patterns("--exclude", exclude)
    roots = roots_of(paths)
    if changed is None:
        for root in roots:
            _require(root, known)

    def each_once() -> Iterator[File | Skipped]:
        seen = set()
        for root in roots:
            for path, relative in walk(root.path, root.glob, changed):
                identity = _identity(path)
                if unwanted.match_file(relative) or identity in seen:
                    continue
                for item, name in _look_into(path, relative):
                    if not unwanted.match_file(name) and (wanted is None or wanted.match_file(name)):
                        seen.add(identity)
                        yield item

    return each_once()


def roots_of(paths: Sequence[str | Path]) -> list[Root]:
    """What paths stand for, here and now: `~` is the home directory, and a name that exists is no glob."""
    return [_root(str(path)) for path in paths if str(path) != STDIN]


def _root(given: str) -> Root:
    if not given or "\0" in given:
        raise InfinidocError(f"no such file or directory: {given!r}")
    path = os.path.abspath(os.path.expanduser(given))
    # Directories by their real names, so that a file has one name however it is come by; a link that was given stays.
    path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if not os.path.lexists(path):
        parts = Path(path).parts
        magic = next((i for i, part in enumerate(parts) if re.search(r"[*?\[]", part)), None)
        if magic is not None:
            return Root(given, str(Path(*parts[:magic])), _patterns("path", ["/" + "/".join(parts[magic:])]))
    return Root(given, path)


def _require(root: Root, known: Collection[str]) -> None:
    if any(map(root.covers, known)):
        return
    if root.glob is not None and next(walk(root.path, root.glob), None) is None:
        hint = "hidden files and those in .gitignore only count if you name them in full"
        raise InfinidocError(f"no file matches {root.given}", hint)
    if root.glob is None and not os.path.lexists(root.path):
        raise InfinidocError(f"no such file or directory: {root.given!r}")


def is_gone(path: str) -> bool:
    """Whether a file is no longer there. One that can't be looked at, in a locked directory or on a disk that fails, is
    not known to be gone."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        try:
            return packed.member(path) is None
        except Unreadable:
            return False
    except OSError:
        return False


def _patterns(option: str, lines: Sequence[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise InfinidocError(f"can't understand the pattern of {option} {' '.join(lines)!r}") from error


def is_passed_over(name: str) -> bool:
    """Whether a file or directory of this name is passed over: hidden, or unfinished."""
    return _PASSED_OVER.fullmatch(name) is not None


def is_among(path: str, places: Set[str]) -> bool:
    """Whether an absolute path is one of these, or below one."""
    while path not in places:
        path, below = os.path.dirname(path), path
        if path == below:
            return False
    return True


def walk(root: str, glob: GitIgnoreSpec | None, changed: Set[str] | None = None) -> Iterator[tuple[str, str]]:
    """Every path at or below the root that is no directory and isn't ignored; and the same relative to the root."""
    changed = {root} if changed is None else changed
    above = {str(parent) for path in changed for parent in Path(path).parents}
    if not os.path.isdir(root):
        if os.path.lexists(root) and is_among(root, changed):
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
        children = [os.path.join(path, name) for name in names if not is_passed_over(name)]
        children = [child for child in children if child in above or is_among(child, changed)]
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


def _look_into(path: str, relative: str) -> Iterator[tuple[File | Skipped, str]]:
    """A file, or the files of an archive, each with its name relative to the root."""
    item, shown = _look(path), _display(path)
    is_archive = isinstance(item, Skipped) and item.reason == ARCHIVE and packed.has_name_of_one(path)
    try:
        members = packed.members(path) if is_archive else None
    except Unreadable as error:
        item, members = Skipped(shown, str(error), path, error.passing), None
    if members is None:
        yield item, relative
        return
    for member in members:
        if isinstance(member, tuple):
            name, reason = member
            yield Skipped(f"{shown}/{name}", reason), f"{relative}/{name}"
        else:
            yield _look_at_member(path, f"{shown}/{member.name}", member), f"{relative}/{member.name}"


def _look_at_member(archive: str, name: str, member: packed.Packed) -> File | Skipped:
    path = os.path.join(archive, *member.name.split("/"))
    try:
        head = member.read(_HEAD)
    except Unreadable as error:
        return Skipped(name, str(error), path)
    reason = refusal(path, head)
    return Skipped(name, reason, path) if reason else File(Path(path), name, member.size)


def _look(path: str) -> File | Skipped:
    name = _display(path)
    if not _is_utf8(path):
        return Skipped(name, "its name is not UTF-8: rename it")

    def skipped(reason: str, passing: bool = False) -> Skipped:
        return Skipped(name, reason, path, passing)

    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            os.listdir(path)
        if not stat.S_ISREG(status.st_mode):
            return skipped("not a regular file")
        with open(path, "rb") as file:
            reason = refusal(path, file.read(_HEAD))
    except OSError as error:
        reached = Unreadable.because(error)
        if os.path.islink(path) and reached.passing:
            return skipped("broken symlink")
        return skipped(str(reached), reached.passing)
    return skipped(reason) if reason else File(Path(path), name, status.st_size)


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
