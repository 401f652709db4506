"""Should a passage be found by more than its own words? What stands before it, in view of its addresses or of recall.

    python benchmarks/context.py                        # pronouns, and articles as documents: ten minutes of a core
    python benchmarks/context.py --data qa --forms ""   # stories and papers as well, from a directory as training reads

Questions on `pronouns.jsonl` (their passage never names its subject), and those of `recall_heads.py` where the
paragraphs of an article are one document under its title. A hit is a passage that overlaps the right one. Rows: the
shipped head, with addresses computed alone and with text in view (`title`, the `prev`ious tokens, `slots` of all that
came before in the layers below the head), each without and with what the document's opening has
(`addresses.introduced`); BM25 and MiniLM on the passages, and on passages with their title, or their document's first
passage, put in front. Needs infinidoc[rag] for those two.
"""

import argparse
import json
import lzma
import random
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from infinidoc.baselines.retrieval import Bm25, Embedder
from infinidoc.documents.document import Document, Passage
from infinidoc.documents.segmentation import split_into_passages
from infinidoc.model.addresses import AddressHead, best_cosines, early_states, introduced, question_vectors, score
from infinidoc.model.attention import CompressiveMemory, Enough
from infinidoc.model.base import BaseModel
from infinidoc.model.loading import load
from infinidoc.reading.removal import ids_of, segments_of
from infinidoc.training.corpus import squad

HERE = Path(__file__).parent
FORMS = "title,prev64,prev128,prev256,title+prev64,slots64,slots256"
HELD_OUT = 4  # every so manieth article (see `training.corpus`)


class Question(NamedTuple):
    text: str
    document: int
    start: int  # characters of the document's text
    end: int


class Set(NamedTuple):
    titles: list[str]
    texts: list[str]
    questions: dict[str, list[Question]]


def joined(title: str, pieces: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """A document of these pieces under its title, and where each stands in it."""
    text, places = f"# {title}", []
    for piece in pieces:
        text += "\n\n"
        places.append((len(text), len(text) + len(piece)))
        text += piece
    return text, places


def pronouns() -> Set:
    rows = [json.loads(line) for line in (HERE / "pronouns.jsonl").read_text(encoding="utf-8").splitlines()]
    stories = [row["document"] for row in rows if "passage" not in row]
    titles = [story["title"] for story in stories]
    documents = [joined(story["title"], story["passages"]) for story in stories]
    asked = [(row["question"], titles.index(row["document"]), row["passage"]) for row in rows if "passage" in row]
    questions = [Question(text, number, *documents[number][1][passage]) for text, number, passage in asked]
    return Set(titles, [text for text, _ in documents], {"pronouns": questions})


def articles() -> Set:
    lines = (HERE / "paraphrases.jsonl").read_text(encoding="utf-8").splitlines()
    rephrased = [json.loads(line) for line in lines]
    found = Set([], [], {"questions": [], "paraphrases": []})
    for number, article in enumerate(json.loads(squad())["data"]):
        paragraphs = [paragraph["context"] for paragraph in article["paragraphs"]]
        text, places = joined(article["title"].replace("_", " "), paragraphs)
        found.titles.append(article["title"].replace("_", " "))
        found.texts.append(text)
        for paragraph, place in zip(article["paragraphs"], places, strict=True):
            if number % HELD_OUT == HELD_OUT - 1:
                found.questions["questions"] += [Question(qa["question"], number, *place) for qa in paragraph["qas"]]
            mine = [line for line in rephrased if paragraph["context"].startswith(line["paragraph"])]
            found.questions["paraphrases"] += [Question(line["question"], number, *place) for line in mine]
    return found


def others(data: Path, name: str, documents: int, each: int) -> Set:
    """Some of a source of questions whose documents are there as well; `each` of so many."""

    def rows(file: Path) -> list[dict[str, str | list[str]]]:
        with lzma.open(file, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    whole = {row["id"]: row for row in rows(data / "documents" / f"{name}.jsonl.xz")}
    asked: dict[str, list[Question]] = {}
    for row in rows(data / f"{name}.jsonl.xz"):
        text = f"# {whole[row['doc']]['title']}\n\n{whole[row['doc']]['text']}"
        context = text.find(row["context"]) if row["kind"] == "span" and row["context"] else -1
        start = text.find(row["answers"][0], context) if context >= 0 else -1
        if 0 <= start < context + len(row["context"]):
            asked.setdefault(row["doc"], []).append(Question(row["question"], 0, start, start + len(row["answers"][0])))
    rng = random.Random(0)
    chosen = rng.sample(sorted(key for key in asked if len(asked[key]) >= each), documents)
    questions = [q._replace(document=n) for n, key in enumerate(chosen) for q in rng.sample(asked[key], each)]
    titles = [str(whole[key]["title"]) for key in chosen]
    return Set(titles, [f"# {whole[key]['title']}\n\n{whole[key]['text']}" for key in chosen], {name: questions})


def before(base: BaseModel, form: str, title: str, earlier: list[int]) -> list[int]:
    """What stands in view before a segment, of a document that has begun with these tokens."""
    ids: list[int] = []
    for part in form.split("+") if form else ():
        ids += base.encode(f"{title}\n\n") if part == "title" else earlier[-int(part.removeprefix("prev")) :]
    return ids


@torch.no_grad()
def addresses(base: BaseModel, head: AddressHead, form: str, title: str, segments: list[list[Passage]]) -> list[Tensor]:
    """Of every passage of a document (tokens, 128), computed with what `form` puts in view."""
    memory = early_memory(base, head, int(form.removeprefix("slots"))) if form.startswith("slots") else None
    found: list[Tensor] = []
    earlier: list[int] = []
    for segment in segments:
        ids = ids_of(segment)
        if memory:
            states = behind(memory, base, head, ids)
        else:
            prefix = [*base.start, *before(base, form, title, earlier)]
            states = early_states(base.model, head.layer, torch.tensor([[*prefix, *ids]]))[0, len(prefix) :]
        found += head.addresses(states).split([len(passage.ids) for passage in segment])
        earlier += ids
    return found


def early_memory(base: BaseModel, head: AddressHead, slots: int) -> CompressiveMemory:
    """Slots for the layers below the head alone, and no sum."""
    memory = CompressiveMemory(base.model, slots=slots, keep=("late",))
    for index, layer in enumerate(memory.layers):
        layer.remembers, layer.recording = False, index < head.layer
        layer.tapped = layer.last = index == head.layer
    return memory


def behind(memory: CompressiveMemory, base: BaseModel, head: AddressHead, ids: list[int]) -> Tensor:
    """A segment's hidden states behind the slots, which then hold it, too."""
    try:
        base.model.get_decoder()(input_ids=torch.tensor([[*base.start, *ids]]), past_key_values=memory, use_cache=True)
    except Enough:
        memory.fold()
    states = memory.layers[head.layer].entering
    assert states is not None
    return states[0, len(base.start) :]


class Passages(NamedTuple):
    """All passages of a set: document, characters; and the place of the one that its document opens with."""

    documents: list[int]
    spans: list[tuple[int, int]]
    openings: list[int]

    def rank(self, scores: Tensor, question: Question) -> int:
        right = [
            number == question.document and start < question.end and end > question.start
            for number, (start, end) in zip(self.documents, self.spans, strict=True)
        ]
        return int((scores > scores[torch.tensor(right)].max()).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a directory with fairytaleqa and covidqa")
    parser.add_argument("--forms", default=FORMS, help="what to have in view, beside nothing")
    chosen = parser.parse_args()
    base, adapter = load(None, None, "bf16")
    head = adapter.head() if adapter else None
    assert head is not None
    sets = [pronouns(), articles()]
    if chosen.data:
        sets += [others(chosen.data, "fairytaleqa", 40, 10), others(chosen.data, "covidqa", 15, 10)]
    for one in sets:
        measure(base, head, one, ["", *filter(None, chosen.forms.split(","))])


def measure(base: BaseModel, head: AddressHead, one: Set, forms: list[str]) -> None:
    passages = [list(split_into_passages(Document(text, "txt"), base.encode)) for text in one.texts]
    flat = list(chain.from_iterable(passages))
    documents = [number for number, mine in enumerate(passages) for _ in mine]
    all_of_them = Passages(documents, [(p.start, p.end) for p in flat], [documents.index(n) for n in documents])

    def told(name: str, scores: Callable[[str], Tensor], rate: float = 0.0) -> None:
        for kind, questions in one.questions.items():
            ranks = torch.tensor([all_of_them.rank(scores(q.text), q) for q in questions])
            share = f"{(ranks < 1).float().mean():.3f} / {(ranks < 5).float().mean():.3f}"
            speed = f"   {rate:,.0f} tokens/s" if rate else ""
            print(f"{kind:12} ({len(questions)})   {name:32} {share}{speed}", flush=True)

    for form in forms:
        began = time.process_time()
        found = [
            addresses(base, head, form, title, list(segments_of(base, mine)))
            for title, mine in zip(one.titles, passages, strict=True)
        ]
        rate = sum(len(passage.ids) for passage in flat) / (time.process_time() - began)
        every = torch.cat([address for mine in found for address in mine])
        rows = torch.tensor([0, *(len(passage.ids) for passage in flat[:-1])]).cumsum(0).tolist()
        asked = {q.text: question_vectors(base, head, q.text) for qs in one.questions.values() for q in qs}

        def alone(text: str, asked=asked, every=every, rows=rows) -> Tensor:
            return score(*asked[text], every, rows)

        def opened(text: str, asked=asked, every=every, rows=rows) -> Tensor:
            cosines = best_cosines(asked[text][0], every, rows)
            return introduced(asked[text][1], cosines, cosines[:, all_of_them.openings])

        told(f"in view: {form or 'nothing'}", alone, rate)
        told(f"in view: {form or 'nothing'}; opening", opened)
    embed = Embedder()
    texts = [one.texts[n][p.start : p.end] for n, p in zip(documents, flat, strict=True)]
    before_each = {
        "": [""] * len(texts),
        "title": [one.titles[number] for number in documents],
        "opening": [texts[opening] for opening in all_of_them.openings],
    }
    for name, added in before_each.items():
        opens = [place == opening for place, opening in enumerate(all_of_them.openings)]
        shown = [
            text if first else f"{more}\n\n{text}".strip()
            for more, text, first in zip(added, texts, opens, strict=True)
        ]
        bm25, vectors = Bm25.build(shown), embed(shown)
        put = f", {name} in front" if name else ""
        told(f"BM25{put}", lambda text, bm25=bm25: torch.from_numpy(bm25.scores(text)))
        told(f"MiniLM{put}", lambda text, v=vectors: torch.from_numpy(v @ embed([text], question=True)[0]))


if __name__ == "__main__":
    main()
