"""Whole books to train on, as token ids: what reading far needs, and questions over articles don't have.

A directory has them as `BOOK.jsonl.xz`: a JSON object a line, {"title", "text"}, parts of a book in their order. Every
fourth book is held out: no training sees it, and its text is written out for whoever measures.
"""

import json
import lzma
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from infinidoc import files
from infinidoc.errors import InfinidocError
from infinidoc.training.corpus import HELD_OUT_EVERY

SUFFIX = ".jsonl.xz"


@dataclass(frozen=True)
class Books:
    """Token ids (N,) of each book, by its name."""

    ids: dict[str, "np.ndarray"]

    def save(self, file: Path) -> None:
        save_file(self.ids, file)

    @classmethod
    def load(cls, file: Path) -> "Books":
        return cls(dict(sorted(load_file(file).items())))

    def longer_than(self, tokens: int) -> list["np.ndarray"]:
        """Raises InfinidocError if there is none."""
        found = [book for book in self.ids.values() if len(book) > tokens]
        if not found:
            longest = max(map(len, self.ids.values()), default=0)
            raise InfinidocError(
                f"no book is as long as an excerpt of {tokens:,} tokens: the longest has {longest:,}",
                "give longer books, or a shorter --length",
            )
        return found


def found(data: Path) -> tuple[list[Path], list[Path]]:
    """The books to train on, and those that are held out. Raises InfinidocError if there is none to train on."""
    books = sorted(data.glob(f"*{SUFFIX}"))
    held = books[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    if not books:
        raise InfinidocError(f"no books in {data}", f"they are files BOOK{SUFFIX}, a JSON object with text a line")
    return [book for book in books if book not in held], held


def read(book: Path) -> str:
    """A book's parts, one after the other. Raises InfinidocError for a file that holds something else."""
    try:
        with lzma.open(book, "rt", encoding="utf-8") as lines:
            return "\n\n".join(json.loads(line)["text"].strip() for line in lines)
    except (OSError, EOFError, lzma.LZMAError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InfinidocError(f"{book} is no book ({error})", "it has a JSON object with text a line") from error


def tokenised(
    books: Sequence[Path], encode: Callable[[str], list[int]], notify: Callable[[str], None] = lambda what: None
) -> Books:
    ids = {}
    for number, book in enumerate(books, 1):
        notify(f"reading {book.name.removesuffix(SUFFIX)}, {number}/{len(books)}")
        ids[book.name.removesuffix(SUFFIX)] = np.array(encode(read(book)), dtype=np.int32)
    return Books(ids)


def write_out(books: Sequence[Path], folder: Path) -> None:
    """Texts as files that can be measured on."""
    for book in books:
        files.write(folder / f"{book.name.removesuffix(SUFFIX)}.txt", read(book))
