"""Ingest on a tiny model: what goes in, what changes, and what goes out."""

import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.memory.addresses import ADDRESS_FILE_ROWS
from infinidoc.model import encoding as encoding_module
from infinidoc.model.addresses import untrained_head
from infinidoc.model.attention import CompressiveMemory, attach
from infinidoc.model.base import load_base
from infinidoc.model.encoding import Seat, encode
from infinidoc.reading.collection import Collection
from tests.reading.ingest.memories import assert_same_memory, sums
from tests.reading.library import content, write_library


def test_the_summary_counts_what_happened(collection, docs):
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 not really")
    (docs / "empty.txt").write_text("  \n")
    (docs / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    summary = collection.ingest([docs])
    assert (summary.added, summary.replaced, summary.unchanged, summary.removed) == (12, 0, 0, 0)
    assert {os.path.basename(s.name) for s in summary.skipped} == {"broken.pdf", "empty.txt", "picture.png"}
    assert summary.tokens == summary.collection["tokens"] == sum(d.tokens for d in collection.documents())
    assert summary.collection["documents"] == 12
    assert summary.collection["address_bytes"] == summary.tokens * 128
    assert summary.seconds > 0
    layer = collection.store.state()[0]
    assert layer.tokens.tolist() == [summary.tokens]


def test_again_reads_nothing_and_changes_nothing(collection, docs, monkeypatch):
    collection.ingest([docs])
    before = content(collection.directory)
    monkeypatch.setattr(encoding_module, "single_pass", None)  # the model must not run
    summary = collection.ingest([docs, docs / "log-03.txt"])
    assert (summary.added, summary.unchanged, summary.tokens) == (0, 12, 0)
    assert content(collection.directory) == before


def test_a_changed_document_replaces_the_old_one(collection, docs, tiny):
    collection.ingest([docs])
    (docs / "log-05.txt").write_text("The Zephyr sank.")
    summary = collection.ingest([docs])
    assert (summary.added, summary.replaced, summary.unchanged) == (0, 1, 11)
    with Collection.open("fresh", str(tiny), memory=True) as fresh:
        fresh.ingest([docs])
        assert_same_memory(sums(collection), sums(fresh))
        assert [d.digest for d in collection.documents()] == [d.digest for d in fresh.documents()]


def test_a_removed_document_is_gone_from_memory_addresses_and_text(collection, docs, tiny):
    collection.ingest([docs])
    gone = collection.find("*/log-0[2-4].txt")
    assert len(gone) == 3
    collection.remove(gone)
    for number in (2, 3, 4):
        (docs / f"log-0{number}.txt").unlink()
    with Collection.open("fresh", str(tiny), memory=True) as fresh:
        fresh.ingest([docs])
        assert_same_memory(sums(collection), sums(fresh))
        mine, theirs = content(collection.directory), content(fresh.directory)
        assert mine["documents"] == theirs["documents"]
        assert mine["passages"].keys() == theirs["passages"].keys()
    with pytest.raises(InfinidocError, match="no document"):
        collection.find("log-03.txt")


def test_removing_the_last_document_leaves_an_empty_memory(collection, docs):
    collection.ingest([docs / "log-01.txt"])
    collection.remove(collection.find("log-01.txt"))
    assert collection.store.state() is None
    assert collection.store.addresses() == []
    with pytest.raises(InfinidocError, match="collection is empty"):
        collection.ask("What is the name of the ship?")
    assert collection.ingest([docs / "log-01.txt"]).added == 1


def test_sync_drops_what_is_gone_below_the_given_paths_only(collection, docs, tmp_path):
    other = write_library(tmp_path / "other", count=2)
    collection.ingest([docs, other])
    (docs / "log-00.txt").unlink()
    (other / "log-00.txt").unlink()
    assert collection.ingest([docs]).removed == 0
    assert collection.ingest([docs], sync=True).removed == 1
    assert {path for d in collection.documents() for path in d.paths} == {
        *(str(docs / f"log-{n:02}.txt") for n in range(1, 12)),
        *(str(other / f"log-{n:02}.txt") for n in range(2)),
    }


def test_only_what_changed_is_looked_at(collection, docs, tmp_path, monkeypatch):
    collection.ingest([docs])
    before = content(collection.directory)
    (docs / "log-03.txt").rename(docs / "moved.txt")
    (docs / "log-04.txt").unlink()
    (docs / "log-05.txt").unlink()
    (docs / "new.txt").write_text("The Zephyr sank.")
    monkeypatch.setattr(encoding_module, "single_pass", None)  # what was moved isn't read again
    summary = collection.ingest([docs], sync=True, changed={str(docs / "moved.txt")})
    assert (summary.added, summary.copies, summary.removed, summary.unchanged) == (0, 1, 1, 0)
    after = content(collection.directory)
    assert after["passages"].pop("moved.txt") == before["passages"].pop("log-03.txt")
    assert after["passages"] == before["passages"]
    monkeypatch.undo()
    summary = collection.ingest([docs], sync=True, changed={str(docs / "log-04.txt"), str(docs / "new.txt")})
    assert (summary.added, summary.removed, summary.unchanged) == (1, 1, 0)
    assert str(docs / "log-05.txt") in {document.path for document in collection.documents()}


def test_standard_input(collection, docs, monkeypatch):
    for text in ("The Zephyr sank.", "The Mistral sank.", "The Zephyr sank."):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        collection.ingest(["-"])
    assert len(collection.documents()) == 2
    assert collection.store.document(collection.documents()[0].id).format == "txt"


def test_include_and_exclude(collection, docs):
    collection.ingest([docs], include=["log-0*"], exclude=["log-03.txt"])
    assert len(collection.documents()) == 9


def test_a_path_that_does_not_exist_stops_before_anything_is_read(collection, docs):
    with pytest.raises(InfinidocError, match="nowhere"):
        collection.ingest([docs, "nowhere"])
    assert not collection.directory.exists()


def test_progress_reaches_the_end(collection, docs):
    seen = []
    collection.ingest([docs], notify=lambda p: seen.append((p.files_done, p.bytes_done, p.tokens)))
    files, done, tokens = zip(*seen, strict=True)
    assert files[-1] == 12
    assert done[-1] == pytest.approx(sum(path.stat().st_size for path in docs.iterdir()))
    assert list(done) == sorted(done)
    assert tokens[-1] == sum(d.tokens for d in collection.documents())


def test_long_documents_spread_over_address_files(collection, tmp_path, monkeypatch):
    monkeypatch.setitem(encoding_module.WINDOW_TOKENS, "cpu", 700)
    folder = write_library(tmp_path / "long", count=1, longest=600)
    collection.ingest([folder])
    (document,) = collection.documents()
    rows = {(p.file, p.row): p.tokens for p in collection.store.passages(document.id)}
    assert sum(rows.values()) == document.tokens
    text = collection.store.document(document.id).text
    encode = collection.load().encode
    for passage in collection.store.passages(document.id):
        assert len(encode(text[passage.start : passage.end])) == passage.tokens


def test_side_by_side_is_the_same_as_one_after_the_other(tiny):
    """Documents in a batch don't see each other, whatever their lengths."""
    base = load_base(str(tiny))
    attach(base.model)
    for module in base.model.model.layers:
        module.self_attn.infini.gate_bias.fill_(0.0)  # open: later segments do read earlier ones
    head = untrained_head(base)
    lengths = [30, 20, 5, 7, 512, 100, 1, 64, 64, 64, 3]
    segments = [[3 + (7 * i + j) % 300 for j in range(n)] for i, n in enumerate(lengths)]
    together = encode(base, head, segments)
    total = None
    for segment, found in zip(segments, together.addresses, strict=True):
        memory = CompressiveMemory(base.model)
        ids = torch.tensor([[*base.start, *segment]])
        base.model(ids, past_key_values=memory)
        mask = torch.ones(ids.shape)
        mask[:, : len(base.start)] = 0
        memory.fold(mask)
        (alone,) = encode(base, head, [segment]).addresses
        assert torch.equal(alone.sign(), found.sign())
        total = memory.state if total is None else [a + b for a, b in zip(total, memory.state, strict=True)]
    for mine, theirs in zip(together.state, total, strict=True):
        torch.testing.assert_close(mine.association, theirs.association, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(mine.normaliser, theirs.normaliser, rtol=1e-3, atol=1e-3)
        assert torch.equal(mine.tokens, theirs.tokens)


def test_what_a_segment_leaves_depends_on_nothing_but_itself(tiny):
    base = load_base(str(tiny))
    attach(base.model)
    for layer in base.model.model.layers:
        layer.self_attn.infini.gate_bias.fill_(2.0)  # open: it would show if a segment read an earlier one
    first, second = list(range(10, 60)), list(range(100, 160))

    def state(*segments):
        encoded = encode(base, None, segments)
        assert encoded.addresses == [None] * len(segments)
        return encoded.state

    for both, one, other in zip(state(first, second), state(first), state(second), strict=True):
        torch.testing.assert_close(both.association, one.association + other.association, rtol=1e-4, atol=1e-4)
        assert both.tokens.item() == len(first) + len(second)


def test_segments_come_back_in_order_whatever_their_length(tiny, monkeypatch):
    monkeypatch.setitem(encoding_module.BATCH_TOKENS, "cpu", 64)
    base = load_base(str(tiny))
    attach(base.model)
    segments = [[5] * n for n in (3, 60, 1, 40, 100, 2, 30, 30, 90, 4)]
    encoded = encode(base, untrained_head(base), segments)
    assert list(map(len, encoded.addresses)) == list(map(len, segments))
    assert encoded.seats[:5] == [Seat(4, 4, 1), Seat(1, 60, 0), Seat(4, 4, 3), Seat(1, 40, 0), Seat(1, 100, 0)]


MEASURE = """
import os, resource, sys
import torch
torch.set_num_threads(1)
from infinidoc.reading.collection import Collection
model, precision, *folders = sys.argv[1:]
with Collection.open("warm", model, precision=precision, memory=True) as warm:
    warm.load()
for number, folder in enumerate(folders):
    if os.fork() == 0:
        with Collection.open(f"measured-{number}", model, precision=precision, memory=True) as collection:
            summary = collection.ingest([folder])
        print(summary.tokens, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.parametrize(("precision", "most"), [("fp32", 25), ("bf16", 50)])
def test_memory_does_not_grow_with_what_is_read(tmp_path, tiny, precision, most):
    """Peak resident memory of a process, in MiB: what fills one file of addresses, three times as much in many files,
    and that in one file. (Less than a file of addresses is never merged, and would not show what that takes.)"""
    some, many = write_library(tmp_path / "some", 90, 90), write_library(tmp_path / "many", 300, 90)
    (long := tmp_path / "long").mkdir()
    (long / "one.txt").write_text("\n\n".join(path.read_text() for path in sorted(many.iterdir())))
    command = [sys.executable, "-c", MEASURE, str(tiny), precision, str(some), str(many), str(long)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    tokens, peaks = zip(*(map(int, line.split()) for line in done.stdout.splitlines()), strict=True)
    assert tokens[0] > ADDRESS_FILE_ROWS
    assert tokens[1] > 3 * tokens[0]
    assert tokens[2] == pytest.approx(tokens[1], rel=0.01)
    # The addresses of what is more take 25 MiB; keeping what is compiled for each shape of a product takes hundreds.
    assert max(peaks[1:]) - peaks[0] < most, (tokens, peaks)


def test_without_a_memory_the_addresses_are_the_same_and_the_upper_layers_rest(docs, tiny):
    with (
        Collection.open("with", str(tiny), memory=True) as whole,
        Collection.open("without", str(tiny), memory=False) as bare,
    ):
        whole.ingest([docs])
        bare.ingest([docs / "log-00.txt"])  # makes the collection: an untrained head runs the whole model once
        seen = []
        layers = bare.load(to_write=True).model.model.layers
        layers[-1].mlp.register_forward_hook(lambda *_: seen.append("the last layer"))
        (docs / "more.txt").write_text("The Zephyr sank.")
        assert bare.ingest([docs]).added == 12
        assert bare.store.state() is None
        bare.remove(bare.find("more.txt"))
        (docs / "log-03.txt").write_text("The Mistral sank.")
        assert bare.ingest([docs]).replaced == 1
        assert whole.ingest([docs], sync=True).replaced == 1
        assert not seen
        mine, theirs = content(bare.directory), content(whole.directory)
        assert mine["documents"].keys() - {"more.txt"} == theirs["documents"].keys() - {"more.txt"}
        assert mine["passages"]["log-05.txt"] == theirs["passages"]["log-05.txt"]
        assert bare.ask("What does the Amalia carry?").sources
        with pytest.raises(InfinidocError, match="no compressive memory"):
            bare.ask("What does the Amalia carry?", memory_only=True)


def test_threads_of_the_caller_keep_their_number(tiny):
    base = load_base(str(tiny))
    attach(base.model)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        encode(base, None, [[5, 6, 7]])
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:  # a thread that begins later, a server's for example
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)
