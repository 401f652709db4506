"""Training a reader on a tiny model: what it is shown, that it learns, and goes on where it stopped."""

import random

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.model.base import load_base
from infinidoc.model.lora import Merged, loras
from infinidoc.model.prompts import REFUSAL
from infinidoc.training.questions import Asked, Questions
from infinidoc.training.reader import Settings, Trainer, micro_batches

CARGO = ["grain", "wine", "salt", "iron", "tea", "paper", "wool", "coal"]
SHIPS = ["Amalia", "Halcyon", "Gudrun", "Jacoba", "Petrel", "Nora", "Ilse", "Marta"]


def harbour():
    """Eight ships, each with its cargo: near passages are the other ships'."""
    questions = Questions()
    numbers = [questions.text(f"log.txt, line {n}", f"The {s} carries {CARGO[n]}.") for n, s in enumerate(SHIPS)]
    for n, ship in enumerate(SHIPS):
        near = tuple(number for number in numbers if number != numbers[n])
        questions.asked.append(Asked("log", f"What does the {ship} carry?", (CARGO[n],), "answer", (numbers[n],), near))
    questions.asked.append(Asked("log", "What does the Orion carry?", (), "answer", (), tuple(numbers)))
    return questions


def trainer(tiny, out, **settings):
    settings = {"rank": 4, "first_layer": 1, "questions": 8, "passes": 3, "rate": 1e-2} | settings
    return Trainer(load_base(str(tiny)), Settings(**settings), harbour(), out)


def shown(run, one, seed):
    sample = run.sequence(one, random.Random(seed))
    decode = run.base.tokenizer.decode
    return decode(sample.ids[: sample.answer]), decode(sample.ids[sample.answer :])


def test_the_right_passage_is_shown_unless_the_answer_is_a_refusal(tiny, tmp_path):
    run = trainer(tiny, tmp_path)
    refused = 0
    for seed in range(60):
        prompt, answer = shown(run, run.pool[0], seed)
        right = "The Amalia carries grain." in prompt
        assert answer == ("grain<|im_end|>" if right else f"{REFUSAL}<|im_end|>")
        assert prompt.endswith("<|im_start|>answer\n")
        refused += not right
    assert 4 <= refused <= 22  # a fifth of sixty
    unanswerable = [shown(run, run.pool[-1], seed) for seed in range(10)]
    assert {answer for _, answer in unanswerable} == {f"{REFUSAL}<|im_end|>"}
    assert all("carries" in prompt for prompt, _ in unanswerable)


def test_the_loss_is_on_the_answer_alone(tiny, tmp_path):
    run = trainer(tiny, tmp_path)
    batch = [run.sequence(one, random.Random(1)) for one in run.pool[:3]]
    losses, _ = run.loss(batch)
    for sample, found in zip(batch, losses, strict=True):
        logits = run.base.model(torch.tensor([sample.ids])).logits[0].log_softmax(-1).detach()
        said = sample.ids[sample.answer :]
        own = [-logits[sample.answer - 1 + n, token] for n, token in enumerate(said)]
        assert found.item() == pytest.approx(float(sum(own) / len(own)), rel=1e-4)


def test_it_learns(tiny, tmp_path):
    steps = []
    trainer(tiny, tmp_path, passes=60, rate=3e-2, rank=8, first_layer=0).train(steps.append)
    assert steps[-1].loss < steps[0].loss / 2
    assert steps[-1].progress == 1


def test_an_interrupted_run_ends_as_if_it_had_not_been(tiny, tmp_path):
    whole, halved = trainer(tiny, tmp_path / "whole"), trainer(tiny, tmp_path / "halved")
    whole.train()
    halved.train(save_every=1, stop_at=2)
    again = trainer(tiny, tmp_path / "halved")
    again.train()
    assert again.step == whole.step
    assert all(torch.equal(tensor, again.tensors()[name]) for name, tensor in whole.tensors().items())
    with pytest.raises(InfinidocError, match="other settings"):
        trainer(tiny, tmp_path / "halved", rate=1e-3).train()


def test_a_run_with_a_time_limit_ends_with_it(tiny, tmp_path):
    run = trainer(tiny, tmp_path, minutes=0.02)
    run.train()
    assert run.seconds >= 1.2
    assert run.step >= 1


def test_merged_once_a_step_it_learns_the_same(tiny, tmp_path):
    one, other = trainer(tiny, tmp_path / "one"), trainer(tiny, tmp_path / "other")
    other.merged = Merged(other.base.model)
    losses = ([], [])
    for run, found in zip((one, other), losses, strict=True):
        run.limit = 100  # several passes a step: gradients add up
        run.train(lambda step, found=found: found.append(step.loss))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for name, tensor in one.tensors().items():
        torch.testing.assert_close(other.tensors()[name], tensor, rtol=0.02, atol=1e-3)
    assert all(lora.merged is None for _, lora in loras(other.base.model))


def test_micro_batches_hold_every_sample_and_no_more_than_fits(tiny, tmp_path):
    run = trainer(tiny, tmp_path)
    samples = [run.sequence(one, random.Random(2)) for one in run.pool]
    parts = list(micro_batches(samples, 200))
    assert sorted(len(s.ids) for part in parts for s in part) == sorted(len(s.ids) for s in samples)
    assert all(len(part) == 1 or len(part) * max(len(s.ids) for s in part) <= 200 for part in parts)
