"""Folding and answering; and that a shared background gives what brute force gives."""

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.ledger import Ledger
from infinidoc.evaluation.longcontext.haystack import Haystack, filler
from infinidoc.evaluation.longcontext.hidden import Hidden, babi_groups
from infinidoc.evaluation.longcontext.reader import Reader, stream
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.kernels import KERNELS
from tests.evaluation.models import tiny_base


@pytest.fixture(scope="module", params=[name for name, kernel in KERNELS.items() if kernel.additive])
def reader(request, tiny):
    return Reader(tiny_base(tiny, request.param))


@pytest.fixture(scope="module")
def plain(tiny):
    return Reader(tiny_base(tiny))


def assert_same(a, b):
    for layer, expected in zip(a, b, strict=True):
        for name, tensor in expected.tensors().items():
            scale = max(1.0, float(tensor.abs().max()))
            torch.testing.assert_close(layer.tensors()[name], tensor, rtol=0, atol=1e-5 * scale)


def test_a_shared_background_is_as_good_as_brute_force(reader):
    """Exchanging segments in a sum, against streaming the changed text from its first token to its last."""
    tokens = filler(reader.base.encode)
    run = Hidden(reader, tokens, babi_groups([2]), 3, 0, Ledger({"benchmark": "test"}))
    haystack = Haystack(tokens, 2048, reader.segment_tokens)
    background = reader.fold(haystack.segment(index) for index in range(len(haystack)))
    probe = torch.tensor([reader.base.encode("Question: Where is the milk?\nAnswer:")])
    for index in range(3):
        _, planted = run._plant(haystack, run.groups[0], index)
        assert planted
        shared = run._memory(haystack, background, planted)
        changed = [planted.get(i, haystack.segment(i)) for i in range(len(haystack))]
        brute = reader.fold(changed)
        assert_same(shared, brute)
        assert shared[0].tokens.tolist() == [2048]
        logits = [
            reader.base.model(probe, past_key_values=CompressiveMemory(reader.base.model, state)).logits
            for state in (shared, brute, background)
        ]
        torch.testing.assert_close(logits[0], logits[1], rtol=1e-3, atol=1e-3)
        assert (logits[0] - logits[2]).abs().max() > 10 * (logits[0] - logits[1]).abs().max()


def test_folding_depends_on_nothing_but_the_segments(reader):
    segments = [list(range(3, 60)), list(range(60, 160)), list(range(30, 90))]
    whole = reader.fold(segments)
    parts = [reader.fold([segment]) for segment in reversed(segments)]
    assert_same(whole, [a + b + c for a, b, c in zip(*parts, strict=True)])
    heard = []
    reader.fold(segments, heard.append)
    assert sum(heard) == 57 + 100 + 60


def test_answers_come_from_the_memory_and_the_same_alone_or_side_by_side(plain):
    prompts = ["The pass key is", "The name of the ship is", "The pass key is", "What"]
    states = [plain.fold([list(range(start, start + 40))]) for start in (3, 100, 200, 300)]
    together = plain.answer(prompts, states, 8)
    alone = [plain.answer([prompt], [state], 8)[0] for prompt, state in zip(prompts, states, strict=True)]
    assert together == alone
    assert together[0] != together[2]


def test_answers_continue_the_prompt_greedily(plain):
    state = plain.fold([list(range(3, 60))])
    ids = [*plain.base.start, *plain.base.encode("The ship")]
    memory = CompressiveMemory(plain.base.model, state)
    expected = []
    for _ in range(5):
        logits = plain.base.model(torch.tensor([ids + expected]), past_key_values=memory.copy()).logits
        expected.append(int(logits[0, -1].argmax()))
        if expected[-1] in plain.base.stops:
            break
    text = plain.base.tokenizer.decode(expected, skip_special_tokens=True)
    assert plain.answer(["The ship"], [state], 5) == [text]


def test_a_stream_goes_on_where_it_was_saved(plain, monkeypatch):
    monkeypatch.setattr(Reader, "chunk", 2)
    monkeypatch.setattr("infinidoc.evaluation.longcontext.reader.CHECKPOINT_SECONDS", -1.0)
    haystack = Haystack(filler(plain.base.encode), 3000, plain.segment_tokens)
    checkpoint = Ledger({"benchmark": "test"}).checkpoint("3000")
    whole = plain.fold(haystack.segment(index) for index in range(len(haystack)))

    def breaks(index):
        if index == 4:
            raise KeyboardInterrupt
        return haystack.segment(index)

    with pytest.raises(KeyboardInterrupt):
        stream(plain, breaks, 0, len(haystack), None, checkpoint, lambda tokens: None)
    done, state = checkpoint.load()
    assert done == 4
    read = []
    state = stream(plain, haystack.segment, done, len(haystack), state, checkpoint, read.append)
    assert sum(read) == sum(len(haystack.segment(index)) for index in range(4, len(haystack)))
    assert_same(state, whole)
    assert checkpoint.load()[0] == len(haystack)


def test_a_memory_that_does_not_add_up_is_refused(tiny):
    with pytest.raises(InfinidocError, match="delta"):
        Reader(tiny_base(tiny, "delta"))


def test_a_token_s_text_shows_its_space(plain):
    tokens = plain.base.encode("The ship.\n The ship")
    assert "".join(plain.text(token) for token in tokens) == "The ship.\n The ship"
