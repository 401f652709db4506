"""Questions that count or list documents: "How many invoices from 2024?", "Which contracts mention a penalty?"

No reader of a few passages can answer these, so none is asked. Every document is searched for the words of the
question, in its text and its file's name; what comes back is which documents have all of them, and that this is all
that was looked at. Exact and repeatable; it understands nothing.

`counts` decides by rules, no model: a question counts documents if what it counts are documents, and what follows says
where they are from or what is in them. "How many rooms does the house have?" and "How many reports did she write?" are
read from passages. English first; the commonest words of German, French, Spanish and Italian.
"""

import re
from dataclasses import dataclass
from pathlib import PurePath

from infinidoc.documents.wording import FUNCTION, WORD, in_any_number
from infinidoc.memory.store import Store
from infinidoc.reading.answers import Source, display
from infinidoc.reading.scope import Scope

_ALL = (
    r"(?:(?:of|all|every|the|our|my|your|these|those|any|alle[rn]?|unsere[rn]?|meine[rn]?|die|der|de|tous|toutes|les|nos"
    r"|todos|todas|los|las|tutti|tutte|i|le|gli)\s+|d['’])*"
)
_MANY = r"(?:how many|(?:what is )?(?:the )?(?:total )?number of|count|wie ?viele|combien|cu[aá]nt[oa]s|quant[ei])"
_LIST = (
    r"(?:list|show(?: me)?|find(?: me)?|(?:give me )?(?:a |the )?list of|give me|name|what are all|all"
    r"|liste|zeige?(?: mir)?|montre[zr]?(?:-moi)?|listez|lista|mu[eé]stra(?:me)?|elenca|mostra(?:mi)?)"
)
_WHICH = r"(?:which|what|welche[nr]?|quel(?:le)?s|qué|cuáles|quali)"
# Documents of any kind; those of some formats; what a document calls itself, which is a word to look for.
_ANY = r"documents|files|dokumenten?|dateien|unterlagen|fichiers|documentos|archivos|documenti"
_SHEETS = "xlsx xlsm xls ods csv tsv"
_FORMATS = {
    r"e-?mails?|mails?|courriels|correos": "eml mbox msg",
    r"pdfs?": "pdf",
    r"spreadsheets|workbooks|hojas de cálculo": _SHEETS,
    r"presentations|slide ?decks|präsentationen": "pptx ppt odp",
    r"web ?pages": "html htm xhtml mhtml mht",
    r"e-?books": "epub",
}
_NAMED = (
    r"invoices|receipts|contracts|memos|quotations|agreements|rechnungen|quittungen|verträgen?|protokollen?|angeboten?"
    r"|factures|contrats|devis|facturas|recibos|contratos|fatture|ricevute|contratti"
)
_OFTEN_NAMED = (  # there are others: of an alphabet, of a constitution
    r"letters|reports|articles|papers|briefen?|berichten?|lettres|rapports|cartas|informes|lettere|articoli"
)
_SAY = (
    r"mention(?:s|ing|ed)?|contain(?:s|ing)?|discuss(?:es|ing|ed)?|talk(?:s|ing)? about|refer(?:s|ring)? to"
    r"|describ(?:es?|ing)|deal(?:s|ing)? with|cover(?:s|ing)?|says?|includ(?:es?|ing)|cit(?:es?|ing)|concern(?:s|ing)?"
    r"|regarding|(?:has|have|use[sd]?) the (?:words?|phrase|term|name)|erwähn(?:en|t)"
    r"|enthalten|handeln von|nennen|mentionnent|contiennent|parlent|mencionan|contienen|hablan|menzionano|contengono"
    r"|parlano"
)
_FROM = r"from|about|dated|by|aus|von|vom|über|du|sur|sobre|del|su"
_IN = (
    r"with|without|since|before|after|between|on|of|for|in|during|mit|seit|zu[rm]?|im|de|des|d['’]\w+|en|avec|depuis"
    r"|pour|con|desde|para|di|da"
)
_THERE = (
    r"(?:are |is )?there|do (?:we|i|you) have|have (?:we|i|you)(?: got)?|gibt es|haben wir|habe ich|y a-t-il|avons-nous"
    r"|hay|tenemos|ci sono|abbiamo"
)
_ARE = r"(?:(?:that|which|die|qui|que|che)\s+)?(?:(?:are|were|sind|sont|son|sono)\s+)?"
_SENT = (
    r"(?:(?:were|have been) (?:issued|sent|received|written|paid)|did (?:we|i) (?:issue|send|receive|get|write|pay))"
)
_HELD = (
    r"(?:in|across|over|among|from)\s+(?:all\s+(?:of\s+)?)?(?:the|this|these|those|my|our|all)\s+"
    r"(?:collection|documents|files|folders?|archive)"
)
_POLITELY = r"(?:(?:please|can you|could you|tell me|do you know|i(?:['’]d| would) like to know)\s+)*"
_NOUN = rf"(?P<noun>{'|'.join((_ANY, _NAMED, _OFTEN_NAMED, *_FORMATS))})\b"
_SURELY = rf"(?P<noun>(?:[\w-]+\s+)?(?:{'|'.join((_ANY, _NAMED, *_FORMATS))}))\b"
_THAT = r"(?!.*\b(?:does|did|can|could|should|must|will|would)\b)"  # else they are somebody's object
# What documents are from or about, up to where something is said of them: "letters from Petrel were left at the door".
_PHRASE = r"(?:(?!\b(?:are|were|was|is)\b(?!\s+there\b)).)*"
_COUNTS = [
    re.compile(rf"\W*{_POLITELY}{pattern}", re.IGNORECASE)
    for pattern in (
        rf"(?:{_MANY}|{_LIST})\s+{_ALL}{_SURELY}"
        rf"(?P<rest>{_THAT}(?:\s+(?:{_THERE}))?(?:\s+{_ARE}(?:(?:{_SAY})\b.*|(?:{_FROM}|{_IN})\b{_PHRASE})|\s+(?:19|20)\d\d\b.*|\W*))",
        rf"(?:{_MANY}|{_LIST})\s+{_ALL}(?P<noun>{_OFTEN_NAMED})\b"
        rf"(?P<rest>{_THAT}(?:\s+(?:{_THERE}))?\s+{_ARE}(?:(?:{_SAY})\b.*|(?:{_FROM})\b{_PHRASE}))",
        rf"{_MANY}\s+{_ALL}(?P<noun>invoices|receipts|e-?mails|mails)\s+(?P<rest>{_SENT}\b.*)",
        rf"{_WHICH}\s+{_ALL}{_NOUN}(?P<rest>\s+{_ARE}(?:{_SAY}|about|dated|(?:come )?from|von|aus)\b.*)",
        rf"{_WHICH}\s+{_ALL}{_NOUN}(?P<rest>\s+(?:{_THERE})(?:\s+(?:{_FROM}|{_IN})\b.*|\W*))",
        rf"in\s+(?:{_MANY}|{_WHICH})\s+{_ALL}{_NOUN}(?P<rest>\s.*)",
        rf"(?P<noun>)(?:{_MANY}|{_LIST}\s+all)\b(?P<rest>.*\b{_HELD}\b.*)",
    )
]
_EACH = re.compile(rf"\b(?:every|each) ([\w-]+)(?=\s+(?:that|which|{_SAY}|{_FROM}|{_IN})\b)", re.IGNORECASE)
_NO_WORDS = re.compile(
    rf"\b(?:{_SAY}|{_THERE}|{_SENT}|{_HELD}|{_ANY}|letters|lettres|briefen?|cartas|lettere|dated|come|appears?|occurs?"
    r"|found|kommt|kommen|steht|stehen|vor"
    r"|the (?:words?|phrase|term|name)|times|in total|altogether|overall)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wanted:
    """Documents that have all of these words, in one of these formats (any, if empty)."""

    words: tuple[str, ...]
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """The documents that have what is `wanted`, by path, each with the passage that has most of the words; and how many
    were searched."""

    wanted: Wanted
    documents: list[Source]
    searched: int

    def __str__(self) -> str:
        found = len(self.documents)
        of = f"{f'{found:,}' if found else 'None'} of {self.searched:,} documents"
        if not self.wanted.words:
            return f"{of} {'are' if found > 1 else 'is'} {' or '.join(self.wanted.formats) or 'here'}."
        words = " and ".join(f'"{word}"' for word in self.wanted.words)
        return f"{of} {'have' if found > 1 else 'has'} the word{'s' * (len(self.wanted.words) > 1)} {words}."


def counts(question: str) -> Wanted | None:
    """What a question wants counted or listed; None for one that is to be read from a passage."""
    asked = _EACH.sub(r"all \1s", " ".join(question.split()))
    for pattern in _COUNTS:
        if found := pattern.fullmatch(asked):
            return _wanted(found["noun"], found["rest"])
    return None


def to_list(text: str) -> Wanted:
    """What to list: for a question that does so, or for what the documents are about ("invoices from 2024")."""
    wanted = counts(text) or counts(f"list {text}") or _wanted("", text)
    return wanted if wanted.words or wanted.formats or re.search(rf"\b(?:{_ANY})\b", text) else Wanted(_words(text))


def _wanted(noun: str, rest: str) -> Wanted:
    formats = next((those for of, those in _FORMATS.items() if re.search(rf"\b(?:{of})\b", noun, re.IGNORECASE)), "")
    named = re.sub(rf"\b(?:{'|'.join(_FORMATS)})\b", " ", noun, flags=re.IGNORECASE)
    said = _NO_WORDS.sub(" ", f"{named} {rest}")
    return Wanted(_words(said), tuple(formats.split()))


def _words(text: str) -> tuple[str, ...]:
    """Those that say something, each once."""
    return tuple(dict.fromkeys(word for word in WORD.findall(text) if word.casefold() not in FUNCTION))


def list_documents(store: Store, wanted: Wanted, scope: Scope) -> Listing:
    """Looks at every document. Raises InfinidocError for a scope that no document is in."""
    paths = scope.files(store)
    stored = [one for one in store.documents() if paths is None or one.id in paths]
    words = [in_any_number(word) for word in wanted.words]
    found = []
    for one in stored:
        if wanted.formats and one.format not in wanted.formats:
            continue
        one = one.at(paths[one.id]) if paths else one
        document, name = store.document(one.id), PurePath(one.path).name
        if not all(word.search(document.text) or word.search(name) for word in words):
            continue
        places = [(passage.start, passage.end) for passage in store.passages(one.id)]
        had = [sum(bool(word.search(document.text, *place)) for word in words) for place in places]
        start, end = places[had.index(max(had))]
        text, also_in = document.text[start:end], tuple(map(display, one.copies))
        marks = tuple(sorted({mark.span() for word in words for mark in word.finditer(text)}))
        where = (display(one.path), one.path, document.locate(start))
        found.append(Source(*where, 1.0, text, also_in, one.id, start, end, marks))
    return Listing(wanted, sorted(found, key=lambda source: source.path), len(stored))
