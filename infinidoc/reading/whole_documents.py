"""Whole documents: a model reads them from start to end, once, and is then asked about all of it.

    with Collection.open("manuals") as collection:
        book = WholeDocuments(collection, ["guide.pdf"])
        print(book.ask("How does it end?").text, book.summarize().text)

What it keeps of them (see `through.py`) chooses their main points, and is read when it is first needed for that. Other
questions are read from the passages that they recall, with the first and the last where they ask for them, and from all
sentences that have their words. The memory does not stand behind those: it made no answer better that was looked at,
and misled one (docs/measurements.md).
"""

import glob
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch

from infinidoc.documents.document import Document
from infinidoc.documents.wording import in_any_number
from infinidoc.errors import InfinidocError
from infinidoc.memory.records import PassageRow, StoredDocument
from infinidoc.model import decoding
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.prompts import EXPLANATION
from infinidoc.reading.answering import Line, fitting_prompt, prompt, refuses, titled
from infinidoc.reading.answers import Answer, Source, display
from infinidoc.reading.asking import WORTH_READING, Timed
from infinidoc.reading.collection import Collection
from infinidoc.reading.log import log_entry
from infinidoc.reading.phrases import NOTHING
from infinidoc.reading.points import Sentence, bearing, lift, proposed
from infinidoc.reading.quoting import Citing, Shown, find_quotes
from infinidoc.reading.readers.choice import OWN
from infinidoc.reading.readers.local import LocalReader
from infinidoc.reading.scope import Scope
from infinidoc.reading.search import source_at
from infinidoc.reading.through import ReadingProgress, read_documents

TOP = 4  # passages that are recalled
POINTS = 8  # sentences of a summary
BEARING = 5  # that say something of what was asked
MAX_TOKENS = 128
QUOTED = "\"'“”‘’«» "
REPEATED = 8  # tokens: said once more, a small model would go on saying them
SUMMARY = "What are the main points?"

# Questions that no passage answers by itself.
WIDE = re.compile(
    r"\b(?:summar\w*|main (?:points?|ideas?|topics?|themes?)|key points?|gist|plot|overview|outline|recap\w*"
    r"|what (?:happens|is (?:it|this|the \w+) (?:all )?about)|zusammenfass\w*|fasse .* zusammen|worum geht|überblick"
    r"|résum\w*|resum\w*|riassum\w*|de quoi|de qué|di cosa)\b",
    re.IGNORECASE,
)
NAMED = re.compile(
    r"\b(?:whole|entire|all|story|stories|book|novel|tale|document|text|paper|article|report|meeting|file|chapter"
    r"|geschichte|buch|dokument|bericht|sitzung|histoire|livre|texte|rapport|historia|libro|texto|storia|testo)\b",
    re.IGNORECASE,
)
# Questions that the first and the last passage have to do with.
ENDS = re.compile(
    r"\b(?:begin\w*|start\w*|open\w*|end(?:s|ed|ing)?|finally|final|finish\w*|conclu\w*|chang\w*|develop\w*|differ\w*"
    r"|compare\w*|anfang\w*|anfäng\w*|beginn\w*|ende[nst]?|schluss|schließlich|änder\w*|début|commenc\w*|fin|finit"
    r"|final\w*|chang\w*|comienz\w*|empiez\w*|termin\w*|cambi\w*|inizi\w*|finisc\w*|fine)\b",
    re.IGNORECASE,
)
TIMES = re.compile(
    r"how (?:often|many times) (?:is|are|was|were|do|does|did) (?:the (?:words?|names?|terms?|phrases?) )?"
    r"(?P<words>.+?) (?:mentioned|named|said|written|used|found|spoken of|come up|comes up|appears?|occurs?|stands?)"
    r"(?: (?:in|here|there)\b.*)?[\s?.]*",
    re.IGNORECASE,
)


class WholeDocuments:
    """Documents of a collection, read from start to end by its model or by another one on this machine.

    Names are paths, ends of paths or globs, as for `Collection.find`. They are read when their main points are first
    asked for, unless they were before; `notify` hears how far that is. Raises InfinidocError for a name that means no
    document or, if it is no glob, several; for a reader that is no model on this machine.
    """

    def __init__(
        self,
        collection: Collection,
        names: Sequence[str],
        reader: str = OWN,
        notify: Callable[[ReadingProgress], None] = lambda progress: None,
    ):
        self.collection = collection
        self.documents = [document for name in names for document in _meant(collection, name)]
        chosen = collection.reader(reader)
        if not isinstance(chosen, LocalReader):
            raise InfinidocError(f"{reader} can't read whole documents", "only a model on this machine: --reader own")
        self.base = chosen.base
        self._notify = notify

    @cached_property
    def memory(self) -> CompressiveMemory:
        """What is kept of the documents, side by side; read now, unless it was before."""
        return read_documents(self.collection.store, self.base, self.documents, self._notify).read_only()

    def ask(
        self, question: str, max_tokens: int = MAX_TOKENS, on_text: Callable[[str], None] = lambda text: None
    ) -> Answer:
        """Answers from all of the documents, with the passages that the answer leans on; logged as any answer.

        What is asked of the whole ("what is the plot?") is answered by its main points, "how often is … mentioned?" by
        counting. Raises InfinidocError for a question that is empty or too long.
        """
        if not question.strip():
            raise InfinidocError(
                "the question is empty", 'ask something: infinidoc ask --whole FILE "How does it end?"'
            )
        saying = Timed(on_text)
        if counted := TIMES.fullmatch(" ".join(question.split())):
            text, sources = self._counted(counted["words"])
            saying.emit(text)
            answer = Answer(question, text, bool(sources), False, sources, saying.timings, notes=self._notes())
        elif WIDE.search(question):
            answer = self._points(question, saying)
        else:
            answer = self._read(question, max_tokens, saying)
        saying.reached("total")
        self.collection.store.log_answer(log_entry(answer))
        return answer

    def summarize(self, on_text: Callable[[str], None] = lambda text: None) -> Answer:
        """The main points, in the words of the documents."""
        return self.ask(SUMMARY, on_text=on_text)

    def _read(self, question: str, max_tokens: int, saying: Timed) -> Answer:
        """What the reader says of the passages that a question needs; then the sentences that bear on it, from start to
        end."""
        sources = self._needed(question)
        saying.reached("recall")
        best = sorted(sources, key=lambda one: -(one.score or 1.0))  # without: it is asked for by its place
        titles = [(titled(one.document, one.place), one.text) for one in best]
        ids, count = fitting_prompt(self.base, question, titles, max_tokens, EXPLANATION)
        sources = [one for one in sources if one in best[:count]]
        citing = Citing([self._shown(one) for one in sources], saying.emit)
        said = told(self.base, ids, max_tokens, citing.add)
        if refuses(said):
            said = ""
        else:
            citing.close()
        quoted = [citing.text.strip()] if said else []
        for document in self.documents:
            text = self.collection.store.document(document.id)
            found = bearing(text.text, question, max(1, BEARING // len(self.documents)))
            quoted += self._quoted(document, text, [one for one in found if one.text not in said], sources)
        saying.emit((" ".join(quoted) or NOTHING)[len(quoted[0]) if said else 0 :])
        return self._answer(question, quoted, sources, saying.timings, citing.all_cited)

    def _points(self, question: str, saying: Timed) -> Answer:
        """Sentences of the documents, so many from start to end, each with its passage."""
        asked = prompt(self.base, question, [], EXPLANATION)
        said: list[str] = []
        sources: list[Source] = []
        for document in self.documents:
            text = self.collection.store.document(document.id)
            edges = stretches(self.collection.store.passages(document.id), max(1, POINTS // len(self.documents)))
            those = [some for some in proposed(text.text, edges, _about(question)) if some]
            flat = [one for some in those for one in some]
            gained = dict(zip(flat, lift(self.base, asked, self.memory, [one.text for one in flat]), strict=True))
            chosen = [max(some, key=gained.__getitem__) for some in those]
            said += self._quoted(document, text, chosen, sources)
        saying.emit(" ".join(said) or NOTHING)
        return self._answer(question, said, sources, saying.timings)

    def _quoted(
        self, document: StoredDocument, text: Document, sentences: Sequence[Sentence], sources: list[Source]
    ) -> list[str]:
        """Sentences of a document in one line each, with the number of their passage, which comes to the sources."""
        rows = self.collection.store.passages(document.id)
        quoted = []
        for one in sentences:
            row = next(row for row in rows if row.start <= one.start < row.end)
            number = next(
                (n for n, s in enumerate(sources) if (s.id, s.start) == (document.id, row.start)), len(sources)
            )
            if number == len(sources):
                sources.append(source_at(document, text, row.start, row.end, 0.0))
            quoted.append(f"{' '.join(one.text.split())} [{number + 1}]")
        return quoted

    def _answer(
        self, question: str, parts: list[str], sources: list[Source], timings: dict[str, float], cited: bool = True
    ) -> Answer:
        """An answer of parts that have the numbers of their sources; without any, that there is none."""
        shown = [self._shown(one) for one in sources]
        quotes = [quote for part in parts for quote in find_quotes(plain(part), question, shown)]
        text, by = " ".join(parts) or NOTHING, self.base.name
        verbatim = cited if quotes else None
        return Answer(question, text, bool(parts), False, sources, timings, by, quotes, verbatim, self._notes())

    def _counted(self, words: str) -> tuple[str, list[Source]]:
        """How often words stand in the documents, and the passages that have them most often."""
        words = re.sub(r"^(?:the|an?) ", "", words.strip(QUOTED), flags=re.IGNORECASE).strip(QUOTED)
        pattern = re.compile(r"\s+".join(in_any_number(word).pattern for word in words.split()), re.IGNORECASE)
        found: list[Source] = []
        total = 0
        for document in self.documents:
            text = self.collection.store.document(document.id)
            total += len(pattern.findall(text.text))
            for row in self.collection.store.passages(document.id):
                if marks := tuple(mark.span() for mark in pattern.finditer(text.text[row.start : row.end])):
                    source = source_at(document, text, row.start, row.end, 1.0)
                    found.append(replace(source, marks=marks))
        where = "here" if len(self.documents) > 1 else f"in {display(self.documents[0].path)}"
        times = "once" if total == 1 else f"{total:,} times" if total else "nowhere"
        best = sorted(found, key=lambda source: -len(source.marks))[:TOP]
        passages = f", in {len(found):,} passages" if len(found) > 1 else ""
        return f'"{words}" stands {times} {where}{passages}.', best

    def _needed(self, question: str) -> list[Source]:
        """The passages that a question recalls and, if it asks for them, the first and the last of each document; in
        the order of the text."""
        store = self.collection.store
        scope = Scope(within=tuple(path for document in self.documents for path in document.paths))
        recalled = self.collection.search(question, TOP, scope)
        found = {(one.id, one.start): one for one in recalled if one.score >= WORTH_READING * recalled[0].score}
        for document in self.documents if ENDS.search(question) else ():
            rows = store.passages(document.id)
            text = store.document(document.id)
            for row in (rows[0], rows[-1]):
                found.setdefault((document.id, row.start), source_at(document, text, row.start, row.end, 0.0))
        order = {document.id: number for number, document in enumerate(self.documents)}
        return sorted(found.values(), key=lambda source: (order[source.id], source.start))

    def _shown(self, source: Source) -> Shown:
        return Shown(source.document, source.text, source.start, self.collection.store.document(source.id).locate)

    def _notes(self) -> list[str]:
        notes = [f"{display(one.path)}: {note}" for one in self.documents for note in one.notes]
        cut = [display(one.path) for one in self.documents if not one.complete]
        return notes + [f"{name}: its end has not been read yet; ingest it again" for name in cut]


def plain(text: str) -> str:
    """An answer without the numbers of its sources."""
    return re.sub(r" ?\[\d+\]", "", text)


def stretches(rows: Sequence[PassageRow], count: int) -> list[tuple[int, int]]:
    """A document in at most so many stretches (start, end) of consecutive passages, about equally long."""
    total, tokens = sum(row.tokens for row in rows), 0
    edges: dict[int, tuple[int, int]] = {}
    for row in rows:
        number = tokens * count // max(1, total)
        edges[number] = (edges.get(number, (row.start, 0))[0], row.end)
        tokens += row.tokens
    return list(edges.values())


def told(
    base: BaseModel,
    ids: Sequence[int],
    max_tokens: int,
    on_text: Callable[[str], None],
    memory: CompressiveMemory | None = None,
) -> str:
    """Goes on from a prompt (behind what was read before), up to the line's end, or until it says the same again."""
    line, said = Line(base, on_text), list[int]()
    memory = memory or CompressiveMemory(base.model).read_only()

    def hear(tokens: torch.Tensor) -> bool:
        said.append(int(tokens[0]))
        return line.add(said[-1]) or repeats(said)

    decoding.generate(base, torch.tensor([list(ids)]), memory, max_tokens, hear)
    return line.end()


def repeats(said: Sequence[int]) -> bool:
    """Whether the last tokens stood there before."""
    last = list(said[-REPEATED:])
    return any(last == list(said[at : at + REPEATED]) for at in range(len(said) - 2 * REPEATED + 1))


def _about(question: str) -> str:
    """What a question is about, beside the whole of a document."""
    return NAMED.sub(" ", WIDE.sub(" ", question))


def _meant(collection: Collection, name: str) -> list[StoredDocument]:
    if Path(name).is_dir():
        raise InfinidocError(f"{name} is a directory", "name documents; several are read side by side")
    found = collection.find(name)
    if len(found) > 1 and not glob.has_magic(name):
        those = ", ".join(display(one.path) for one in found[:3]) + ", …" * (len(found) > 3)
        raise InfinidocError(f"{name} means {len(found)} documents ({those})", "name more of its path, or use a glob")
    if empty := [display(one.path) for one in found if not one.tokens]:
        raise InfinidocError(f"{empty[0]} has no text", "see what was read of it: infinidoc documents show")
    return found
