"""Where in a collection is looked: in all of its documents, or in some only."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from pathspec import GitIgnoreSpec

from infinidoc.errors import InfinidocError
from infinidoc.memory.records import HeldFile, project_of
from infinidoc.memory.store import Store

SHOWN = 8  # folders or formats that are named where none fits


@dataclass(frozen=True)
class Scope:
    """The documents of which at least one file fits each of the three; all, if none is given.

    `within` are patterns in the manner of `.gitignore`, as for `ingest --include`: a path fits if they match it, as it
    is shown. Relative ones mean the working directory and the collection's project; of a file that lies in neither, any
    folder above it. The path of a file means that file, whatever signs are in it. `kinds` are formats, as `documents
    list` shows them ("pdf"). `since` compares the day (here) on which the file was last changed when it was read; for
    standard input, on which it was read.
    """

    within: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    since: date | None = None

    def files(self, store: Store) -> dict[int, str] | None:
        """The documents by id, each with the first of its files that fits; None where all do.

        Raises InfinidocError, which says what there is, where none does.
        """
        if self == EVERYWHERE:
            return None
        left = store.held_files()
        if self.kinds:
            left = self._of_kinds(left)
        if self.within:
            left = self._within(left, store.directory)
        if self.since:
            left = self._changed(left)
        return {file.document: file.path for file in reversed(left)}

    def _of_kinds(self, files: Sequence[HeldFile]) -> list[HeldFile]:
        wanted = {kind.strip().lower().removeprefix(".") for kind in self.kinds}
        there = Counter(file.format for file in files)
        if unknown := sorted(wanted - there.keys()):
            raise InfinidocError(
                f"no document of type {_said(unknown)} in this collection", f"its types are {_these(there)}"
            )
        return [file for file in files if file.format in wanted]

    def _within(self, files: Sequence[HeldFile], directory: Path) -> list[HeldFile]:
        bases = dict.fromkeys(map(str, filter(None, (Path.cwd(), project_of(directory)))))
        held = {file.path for file in files}
        specs = {base: _spec(self.within, base, held) for base in (*bases, os.sep)}

        def fits(path: str) -> bool:
            above = [base for base in bases if path.startswith(base.rstrip(os.sep) + os.sep)] or [os.sep]
            return any(specs[base].match_file(_below(path, base)) for base in above)

        found = [file for file in files if fits(file.path)]
        if not found:
            folders = Counter(os.path.dirname(_shown(file.path)) or "." for file in files)
            raise InfinidocError(f"no document matches {_said(self.within)}", f"they lie in {_these(folders)}")
        return found

    def _changed(self, files: Sequence[HeldFile]) -> list[HeldFile]:
        assert self.since is not None
        first = datetime.combine(self.since, time.min).astimezone()
        found = [file for file in files if datetime.fromisoformat(file.modified) >= first]
        if not found:
            latest = max(datetime.fromisoformat(file.modified) for file in files).astimezone()
            raise InfinidocError(f"no document was changed since {self.since}", f"the latest on {latest:%Y-%m-%d}")
        return found


EVERYWHERE = Scope()


def day(text: str) -> date:
    """A date as people give it to `since`: 2024-05-31, or 2024-05 or 2024 for its first day.

    Raises InfinidocError for anything else.
    """
    for rest in ("", "-01", "-01-01"):
        with suppress(ValueError):
            return date.fromisoformat(text.strip() + rest)
    raise InfinidocError(f"{text!r} is no date", "write it as 2024-05-31, 2024-05 or 2024")


def _spec(patterns: Sequence[str], base: str, held: Set[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(line for pattern in patterns for line in _lines(pattern, base, held))
    except ValueError as error:
        raise InfinidocError(f"can't understand the pattern {' '.join(patterns)!r}") from error


def _lines(pattern: str, base: str, held: Set[str]) -> Iterator[str]:
    """A pattern as paths below `base` are compared with it: the path of a file is no pattern, whatever is in it."""
    file = os.path.abspath(os.path.join(base, os.path.expanduser(pattern)))
    if file in held:
        yield "/" + re.sub(r"[][\\!#*? ]", r"\\\g<0>", _below(file, base))
        return
    sign, rest = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    if rest.startswith(("/", "~", "./", "../")) or rest in (".", ".."):  # a place on the disk
        tail = "/" if rest.endswith("/") else ""
        path = os.path.abspath(os.path.expanduser(rest))
        if Path(base).is_relative_to(path):
            yield sign + "**"
        elif Path(path).is_relative_to(base):
            yield f"{sign}/{_below(path, base)}{tail}"
        if not rest.startswith("/"):
            return
    elif base == os.sep and "/" in rest.rstrip("/"):
        rest = f"**/{rest}"
    yield sign + rest


def _below(path: str, base: str) -> str:
    """A path relative to a directory that it lies in; any other as it is."""
    return path.removeprefix(base.rstrip(os.sep) + os.sep).replace(os.sep, "/")


def _shown(path: str) -> str:
    from infinidoc.reading.answers import display

    return display(path)


def _said(given: Sequence[str]) -> str:
    return " ".join(one or "''" for one in given)


def _these(there: Counter[str]) -> str:
    """What there is, in a line: the commonest first."""
    most = sorted(there.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
    named = ", ".join(f"{name} ({count:,})" for name, count in most)
    return named + (f" and {len(there) - SHOWN:,} more" if len(there) > SHOWN else "")
