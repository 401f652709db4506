"""Perplexity: what is scored, with what before it, and that the sums are right."""

import math

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.ledger import Ledger
from infinidoc.evaluation.longcontext.perplexity import Perplexity, choose, loss
from infinidoc.evaluation.longcontext.prose import read_prose
from infinidoc.evaluation.longcontext.reader import Reader
from infinidoc.model.attention import CompressiveMemory, attention_modules
from tests.evaluation.models import tiny_base

WORDS = ("ship", "book", "lighthouse", "grain", "wine", "keeper", "name", "passing", "green", "page", "memory")


@pytest.fixture
def base(tiny):
    return tiny_base(tiny)


@pytest.fixture
def prose(base, tmp_path):
    """Two documents, of about 6,000 and 1,600 tokens."""
    for number, words in enumerate((3200, 800)):
        text = " ".join(WORDS[(i * i + number * i) % len(WORDS)] for i in range(words))
        (tmp_path / f"{number}.txt").write_text(text)
    found = read_prose([tmp_path / "0.txt", tmp_path / "1.txt"], base.encode)
    assert len(found.document(0)) > 5000
    assert 1100 < len(found.document(1)) < 4000
    return found


def run(base, prose, samples=2, seed=0, **options):
    settings = {"benchmark": "perplexity", "seed": seed, "closed": attention_modules(base.model)[0].infini.is_closed()}
    return Perplexity(Reader(base), prose, samples, seed, Ledger(settings), **options)


def test_a_segment_counts_for_the_nearest_length():
    chosen = choose([5000, 1400], [500, 1000, 4000], 500, 99, 0)
    found = {(item.document, item.index): item.length for item in chosen}
    assert found == {
        (0, 1): 500,
        (0, 2): 1000,
        (0, 6): 4000,
        (0, 7): 4000,
        (0, 8): 4000,
        (0, 9): 4000,
        (1, 1): 500,
    }
    assert choose([5000, 1400], [500, 1000, 4000], 500, 2, 7) == choose([5000, 1400], [500, 1000, 4000], 500, 2, 7)
    assert len(choose([5000, 1400], [500, 1000, 4000], 500, 2, 7)) == 2 + 1 + 2


def test_a_length_that_no_document_has_is_named():
    with pytest.raises(InfinidocError, match=r"8,000 tokens: the longest has 5,000"):
        choose([5000, 1400], [500, 8000], 500, 2, 0)


def test_the_loss_is_the_mean_log_probability_of_each_token(base):
    ids = [1, *range(3, 40)]
    logits = base.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = -sum(float(logits[i, ids[i + 1]]) for i in range(len(ids) - 1))
    assert loss(base.model, ids, len(ids) - 1) == pytest.approx(expected, rel=1e-5)
    last = -sum(float(logits[i, ids[i + 1]]) for i in range(len(ids) - 11, len(ids) - 1))
    assert loss(base.model, ids, 10) == pytest.approx(last, rel=1e-5)


def test_rows_are_of_the_same_segments_with_all_that_was_before_them(base, prose):
    rows = run(base, prose, samples=1).run([2048])
    assert [row["system"] for row in rows] == ["window", "memory", "full"]
    size = Reader(base).segment_tokens
    (read,) = {row["read"] for row in rows}
    ids, index = prose.document(0), read // size
    segment, before = ids[read : read + size], ids[:read]
    state = Reader(base).fold(ids[i * size : (i + 1) * size] for i in range(index))
    expected = {
        "window": loss(base.model, [*base.start, *segment], size),
        "memory": loss(base.model, [*base.start, *segment], size, CompressiveMemory(base.model, state)),
        "full": loss(base.model, [*base.start, *before, *segment], size),
    }
    for row in rows:
        assert row["tokens"] == size
        assert row["nll"] == pytest.approx(expected[row["system"]] / size, rel=1e-5)
        assert row["perplexity"] == pytest.approx(math.exp(row["nll"]))
    assert len({round(row["nll"], 4) for row in rows}) == 3


def test_a_closed_gate_makes_the_memory_worth_nothing(base, prose):
    for module in attention_modules(base.model):
        module.infini.gate_bias.data.fill_(float("-inf"))
    rows = run(base, prose).run([512, 1024])
    for length in (512, 1024):
        window, memory = (row["nll"] for row in rows if row["length"] == length and row["system"] != "full")
        assert window == memory


def test_full_attention_is_left_out_where_it_does_not_fit(base, prose):
    base.model.config.max_position_embeddings = 2000
    rows = run(base, prose).run([512, 4096])
    assert [row["system"] for row in rows] == ["window", "memory", "full", "window", "memory"]


def test_slots_for_all_of_the_text_are_full_attention_and_few_are_less(base, prose):
    base.model.config.max_position_embeddings = 5000
    for module in attention_modules(base.model):
        module.infini.gate_bias.data.fill_(float("-inf"))
    rows = {(row["length"], row["system"]): row for row in run(base, prose, slots=[16, 5000]).run([512, 2048])}
    assert [system for length, system in rows if length == 512] == [
        "window",
        "memory",
        "16 slots",
        "5000 slots",
        "full",
    ]
    for length in (512, 2048):
        full, all_of_it, few = (rows[length, system] for system in ("full", "5000 slots", "16 slots"))
        assert all_of_it["nll"] == pytest.approx(full["nll"], rel=1e-4)
        assert few["nll"] != pytest.approx(full["nll"], rel=1e-3)
        assert few["nll"] != pytest.approx(rows[length, "window"]["nll"], rel=1e-3)


def test_an_interrupted_run_with_slots_goes_on(base, prose):
    expected = run(base, prose, slots=[16], seed=2).run([512, 2048])
    ledger = Ledger({"benchmark": "perplexity", "seed": 2, "closed": False})
    names = sorted(ledger.values, key=lambda name: [int(part) for part in name.split()])
    for name in names[-2:]:
        del ledger.values[name]
    ledger.put(names[0], ledger.values[names[0]])
    again = run(base, prose, slots=[16], seed=2)
    for row, wanted in zip(again.run([512, 2048]), expected, strict=True):
        assert row["nll"] == pytest.approx(wanted["nll"], rel=1e-5)
    assert again.progress.done == again.progress.total


def test_an_interrupted_run_goes_on(base, prose):
    expected = run(base, prose, seed=1).run([512, 2048])
    Ledger({"benchmark": "perplexity", "seed": 1, "closed": False}).file.unlink()
    broken = run(base, prose, seed=1)
    score, scored = broken._score, []

    def breaks(*arguments):
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(score(*arguments))
        return scored[-1]

    broken._score = breaks
    with pytest.raises(KeyboardInterrupt):
        broken.run([512, 2048])
    seen = []
    again = run(base, prose, seed=1, notify=lambda progress: seen.append((progress.done, progress.read)))
    rows = again.run([512, 2048])
    for row, wanted in zip(rows, expected, strict=True):
        assert row.keys() == wanted.keys()
        assert (row["length"], row["system"], row["tokens"]) == (wanted["length"], wanted["system"], wanted["tokens"])
        assert row["nll"] == pytest.approx(wanted["nll"], rel=1e-6)
    assert again.progress.read < again.progress.done <= again.progress.total
    assert again.run([512, 2048]) == rows
