"""Documents of an office with questions on them: tables, mails, versions, rules, and whose number it is.

What people ask of their files and what encyclopedias don't have: a value by its row and column, the date in a mail that
isn't the mail's own, which of two versions holds, yes or no and why, dates in full, and facts that must be put together
from two places. `office` makes new sets without end; `read` reads those that were written
(`training/data/office.jsonl`).
"""

from random import Random

from infinidoc.made.office import mails, tables, terms
from infinidoc.made.office.sets import Document, Draft, Set, SetQuestion, read

__all__ = ["Document", "Set", "SetQuestion", "office", "read"]

_ASKED = 12
_UNANSWERABLE = 4
FAMILIES = (
    *(tables.table,) * 4, tables.desks, tables.invoice, tables.changelog,
    *(mails.visit,) * 2, *(mails.moved,) * 2, mails.event, mails.chat,
    *(terms.versions,) * 2, terms.rules, terms.minutes, terms.contract,
)  # fmt: skip


def office(rng: Random) -> Set:
    """A new set of one to three documents with up to 12 questions and up to 4 that they don't answer."""
    family = rng.choice(FAMILIES)
    draft = Draft(rng)
    family(draft)
    asked = rng.sample(draft.asked, min(len(draft.asked), _ASKED))
    unanswerable = rng.sample(draft.unanswerable, min(len(draft.unanswerable), _UNANSWERABLE))
    name = f"{family.__name__}-{rng.getrandbits(40):010x}"
    return Set(name, tuple(draft.documents), tuple(asked), tuple(unanswerable))
