"""Real text of any length for the benchmark: one's own documents, or what every installation has, the docstrings of
Python's standard library, numpy and torch. They vary with the versions, so a result names the text's digest."""

import ast
import hashlib
import random
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from infinidoc.documents.discovery import File, discover
from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import load, read_document
from infinidoc.errors import InfinidocError

Encode = Callable[[str], list[int]]

PACKAGES = ("numpy", "torch")
SHORTEST = 1_000  # characters: a module with less to say is left out
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
WORDS = 8  # of the text, in a question about it


@dataclass(frozen=True)
class Corpus:
    """Text files of `tokens` tokens in all, and questions that some passage of them answers."""

    folder: Path
    tokens: int
    digest: str
    questions: list[str]


def write_corpus(folder: Path, tokens: int, encode: Encode, paths: Sequence[Path] = ()) -> Corpus:
    """Fills a folder with about so many tokens of documents, whole but for the last. Raises InfinidocError if there are
    too few."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    left = tokens
    for text in own(paths) if paths else docstrings():
        size = len(encode(text))
        if size > left:
            text = text[: len(text) * left // size].rpartition(" ")[0]
            size = len(encode(text))
        (folder / f"{len(written):05}.txt").write_text(text, encoding="utf-8")
        written.append(text)
        left -= size
        if left < max(50, tokens // 1_000):
            digest = hashlib.sha256("\0".join(written).encode()).hexdigest()
            return Corpus(folder, tokens - left, digest, [question(text) for text in spread(written)])
    raise InfinidocError(
        f"these documents have {left:,} tokens less than {tokens:,}", "give more, or shorter --lengths"
    )


def own(paths: Sequence[Path]) -> Iterator[str]:
    for file in discover(paths):
        if isinstance(file, File):
            try:
                yield read_document(file.name, load(file.path)).text
            except Unreadable:
                continue


def docstrings() -> Iterator[str]:
    """One text per module, in an order that mixes the packages: a short corpus is like a long one."""
    stdlib = Path(sysconfig.get_path("stdlib"))
    roots = [stdlib, *(Path(spec.origin).parent for name in PACKAGES if (spec := find_spec(name)) and spec.origin)]
    files = [(root, file) for root in roots for file in sorted(root.rglob("*.py"))]
    random.Random(0).shuffle(files)
    for root, file in files:
        inner = file.relative_to(root).parts
        if root == stdlib and "site-packages" in inner:
            continue
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError):  # tests of bad source are source, too
            continue
        parts = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)]
        text = "\n\n".join(part for part in parts if part)
        if len(text) >= SHORTEST:
            yield text


def spread(texts: Sequence[str], count: int = 3) -> list[str]:
    """Some of the texts, evenly spread."""
    return [texts[(2 * i + 1) * len(texts) // (2 * count)] for i in range(count)]


def question(text: str) -> str:
    """About a passage in the middle of a text, in its own words, so that every system finds something to read."""
    words = text[len(text) // 2 :].split()[1 : WORDS + 1] or text.split()[:WORDS]
    return f"What does the text say about {' '.join(words)}?"
