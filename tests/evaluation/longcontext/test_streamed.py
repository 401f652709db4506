"""Hiding and asking behind slots: every sample's own text is streamed, in order, and interruptions cost little."""

from dataclasses import replace

import pytest
import torch

from infinidoc.evaluation.ledger import Ledger
from infinidoc.evaluation.longcontext.haystack import filler
from infinidoc.evaluation.longcontext.hidden import babi_groups, passkey_groups
from infinidoc.evaluation.longcontext.reader import Reader
from infinidoc.evaluation.longcontext.streamed import Streamed
from infinidoc.evaluation.longcontext.streams import SlotStream
from infinidoc.model.slots import KEEP
from tests.evaluation.models import tiny_base


@pytest.fixture(scope="module")
def base(tiny):
    return tiny_base(tiny)


@pytest.fixture
def read(base, monkeypatch):
    """The segments that are read, as they are; the `stop_after`-th is interrupted."""

    class Read(list):
        stop_after = 10**9

    found, own = Read(), SlotStream.read

    def reading(self, segment):
        if len(found) >= found.stop_after:
            raise KeyboardInterrupt
        found.append(list(segment))
        own(self, segment)

    monkeypatch.setattr(SlotStream, "read", reading)
    return found


def run(base, groups, samples=2, sizes=(8,), **options):
    groups = [replace(group, slots=size) for size in sizes for group in groups]
    ledger = Ledger({"benchmark": "streamed", "seed": 0, "samples": samples})
    return Streamed(Reader(base), filler(base.encode), groups, samples, 0, ledger, **options)


@pytest.mark.parametrize("groups", [passkey_groups(), babi_groups([2])])
def test_every_sample_is_asked_of_all_of_its_own_text(base, groups, monkeypatch):
    asked = []

    def answer(self, prompt, max_tokens):
        asked.append(self.memory.slots[0].keys)
        return " nothing"

    monkeypatch.setattr(SlotStream, "answer", answer)
    streamed = run(base, groups, sizes=(8, 16))
    rows = list(streamed.run([1500]))
    assert [row["slots"] for row in rows] == [8] * len(groups) + [16] * len(groups)
    assert {row["accuracy"] for row in rows} == {0.0}
    haystack = streamed._haystack(1500)
    for group in streamed.groups:
        for index in range(2):
            _, planted = streamed._plant(haystack, group, index)
            stream = SlotStream(base, group.slots, KEEP)
            for number in range(len(haystack)):
                stream.read(planted.get(number) or haystack.segment(number))
            assert torch.equal(asked.pop(0), stream.memory.slots[0].keys)
    assert not asked


def test_who_knows_the_hidden_is_right_at_every_length(base, read, monkeypatch):
    def answer(self, prompt, max_tokens):
        told = base.tokenizer.decode([token for segment in read[-self.segments :] for token in segment])
        return " " + told.split("The pass key is ")[1].split(".")[0]

    monkeypatch.setattr(SlotStream, "answer", answer)
    rows = list(run(base, passkey_groups([0.0])).run([600, 1500]))
    assert [(row["length"], row["depth"], row["accuracy"], row["n"]) for row in rows] == [
        (600, 0.0, 1.0, 2),
        (1500, 0.0, 1.0, 2),
    ]


def test_an_interrupted_run_goes_on_with_the_next_sample_and_ends_the_same(base, read):
    groups = passkey_groups([0.0, 1.0])
    expected = list(run(base, groups).run([1500]))
    once = len(read)
    assert once < 4 * len(run(base, groups)._haystack(1500))  # what comes before a key is read once
    run(base, groups).ledger.file.unlink()
    read.stop_after = once + once // 2
    with pytest.raises(KeyboardInterrupt):
        list(run(base, groups).run([1500]))
    read.stop_after = 10**9
    assert list(run(base, groups).run([1500])) == expected
    assert len(read) < once + once // 2 + once
    assert list(run(base, groups).run([1500])) == expected  # and it is all there now


def test_progress_ends_at_its_total(base):
    seen = []
    streamed = run(base, passkey_groups(), notify=lambda progress: seen.append((progress.done, progress.total)))
    list(streamed.run([1500]))
    assert seen == sorted(seen)
    assert seen[-1][0] == pytest.approx(seen[-1][1], rel=0.05)
