"""Hiding and asking: every token is read once, every sample has its own memory, and interruptions cost little."""

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.ledger import Ledger
from infinidoc.evaluation.longcontext import hidden
from infinidoc.evaluation.longcontext.haystack import filler
from infinidoc.evaluation.longcontext.hidden import Hidden, babi_groups, needle_groups, passkey_groups
from infinidoc.evaluation.longcontext.reader import Reader
from tests.evaluation.models import Oracle, tiny_base


@pytest.fixture(scope="module")
def base(tiny):
    return tiny_base(tiny)


def passkeys(reader, samples=3, seed=0, groups=None, **options):
    settings = {"benchmark": "test", "seed": seed, "samples": samples}
    groups = groups or passkey_groups()
    return Hidden(reader, filler(reader.base.encode), groups, samples, seed, Ledger(settings), **options)


def test_who_knows_the_hidden_is_right_everywhere(base):
    rows = list(passkeys(Oracle(base)).run([600, 2000]))
    assert [(row["length"], row["depth"]) for row in rows] == [(n, d) for n in (600, 2000) for d in (0.0, 0.5, 1.0)]
    assert all(row["accuracy"] == 1.0 and row["n"] == 3 for row in rows)
    assert rows[0]["example"]["generated"] == f" {rows[0]['example']['answer']}. Remember it."


def test_accuracy_is_the_share_of_right_answers(base):
    """The oracle gets even keys wrong."""
    run = passkeys(Oracle(base, wrong=0), 5)
    rows = list(run.run([600]))
    for row, group in zip(rows, run.groups, strict=True):
        keys = [int(run._plant(run._haystack(600), group, index)[0].answer) for index in range(5)]
        assert row["accuracy"] == sum(key % 2 for key in keys) / 5
    assert 0 < sum(row["accuracy"] for row in rows) < 3


def test_a_model_that_knows_nothing_is_wrong(base):
    assert [row["accuracy"] for row in passkeys(Reader(base)).run([600])] == [0.0] * 3


def test_every_token_is_streamed_and_every_memory_has_the_whole_length(base, monkeypatch):
    monkeypatch.setattr(Reader, "chunk", 1)
    reader = Oracle(base)
    list(passkeys(reader).run([3000]))
    background = reader.read[: -(-3000 // reader.segment_tokens)]
    assert sum(background) == 3000
    assert len(reader.states) == 9
    for state in reader.states:
        assert state[0].tokens.tolist() == [3000]
    keys = [text.count("pass key") for text in reader.texts]
    assert keys[: len(background)] == [0] * len(background)
    assert sum(keys) == 2 * 9  # "The pass key is …", "… is the pass key", in each sample's own segment
    sums = {float(state[0].association.sum()) for state in reader.states}
    assert len(sums) == 9


def test_the_key_stands_where_its_depth_says(base):
    reader = Oracle(base)
    run = passkeys(reader, samples=1)
    list(run.run([4000]))
    numbers = [next(iter(run._plant(run._haystack(4000), group, 0)[1])) for group in run.groups]
    assert numbers == [0, 4, 7]


def test_an_interrupted_run_goes_on_and_ends_the_same(base, monkeypatch):
    monkeypatch.setattr(Reader, "chunk", 1)
    monkeypatch.setattr("infinidoc.evaluation.longcontext.reader.CHECKPOINT_SECONDS", -1.0)
    expected = list(passkeys(Oracle(base), seed=5, groups=passkey_groups([0.0, 1.0])).run([2000]))
    Ledger({"benchmark": "test", "seed": 5, "samples": 3}).file.unlink()

    total, rows = 0, None
    for stop_after in (3, 2, 4, 100):
        reader = Oracle(base)
        reader.stop_after = stop_after
        run = passkeys(reader, seed=5, groups=passkey_groups([0.0, 1.0]))
        try:
            rows = list(run.run([2000]))
        except KeyboardInterrupt:
            assert rows is None
        total += sum(read for read, text in zip(reader.read, reader.texts, strict=True) if "pass key" not in text)
    assert rows == expected
    # the background once; the segments that keys displace once for each depth, and again where it was interrupted
    assert 2000 + 2 * 500 <= total <= 2000 + 4 * 500


def test_what_was_measured_is_not_measured_again(base):
    first = list(passkeys(Oracle(base)).run([600]))
    reader = Oracle(base)
    assert list(passkeys(reader).run([600])) == first
    assert reader.read == []
    more = list(passkeys(reader).run([600, 700]))
    assert more[:3] == first
    assert set(reader.read) == {700, 350}  # two segments of 350, together and one by one; none of 300


def test_the_seed_decides_what_is_hidden_and_nothing_else_does(base):
    def answers(seed, lengths):
        run = passkeys(Oracle(base), seed=seed)
        return [
            run._plant(run._haystack(n), group, i)[0].answer for n in lengths for group in run.groups for i in (0, 1)
        ]

    assert answers(0, [600]) == answers(0, [600])
    assert answers(0, [600, 900])[:6] == answers(0, [600])
    assert len({*answers(0, [600]), *answers(1, [600])}) == 12


def test_progress_ends_at_its_total_and_says_what_was_really_read(base):
    seen = []
    run = passkeys(Oracle(base), notify=lambda progress: seen.append((progress.done, progress.read, progress.total)))
    list(run.run([600, 3000]))
    dones = [done for done, _, _ in seen]
    assert dones == sorted(dones)
    assert seen[-1][0] == pytest.approx(seen[-1][2], rel=0.02)
    assert seen[-1][0] == seen[-1][1]


def test_stories_are_scattered_in_order_and_none_is_lost(base):
    reader = Reader(base)
    run = passkeys(reader, groups=babi_groups())
    haystack = run._haystack(4096)
    touched = []
    for group in run.groups:
        for index in range(5):
            sample, planted = run._plant(haystack, group, index)
            text = " ".join("".join(base.tokenizer.decode(planted[i]) for i in sorted(planted)).split())
            places = []
            for fact in sample.facts:
                places.append(text.index(fact, places[-1] + 1 if places else 0))
            assert places == sorted(places)
            assert sample.prompt.startswith("Question: Wh")
            touched.append(len(planted))
    assert max(touched) >= 5


def test_short_texts_have_short_stories(base):
    run = passkeys(Reader(base), groups=babi_groups([3]))
    assert all(len(run._plant(run._haystack(512), run.groups[0], i)[0].facts) <= 12 for i in range(5))


def test_what_fits_nowhere_is_named(base, monkeypatch):
    monkeypatch.setattr(hidden, "TRIES", 3)
    run = passkeys(Reader(base), groups=needle_groups([0.5]))
    with pytest.raises(InfinidocError, match="no room"):
        list(run.run([16]))
