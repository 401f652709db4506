"""Training a reader on a tiny model: what it is shown, that it learns, and goes on where it stopped."""

import ast
import random
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from infinidoc.errors import InfinidocError
from infinidoc.model.adapters import LORA_DOWN, READER_FILE
from infinidoc.model.base import load_base
from infinidoc.model.lora import Merged, loras
from infinidoc.model.prompts import REFUSAL
from infinidoc.training import run as runs
from infinidoc.training.questions import Asked, Questions
from infinidoc.training.reader import Sample, Settings, Trainer, micro_batches

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
    sample = run.sample([one], random.Random(seed))
    [branch] = sample.branches
    decode = run.base.tokenizer.decode
    return decode(sample.passages + branch.ids[: branch.answer]), decode(branch.ids[branch.answer :])


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


def alone(run, sample, branch):
    """The mean loss of an answer, its question asked by itself behind its passages, by the whole sequence's logits."""
    ids = sample.passages + branch.ids
    logits = run.base.model(torch.tensor([ids])).logits[0].log_softmax(-1).detach()
    said = branch.ids[branch.answer :]
    first = len(ids) - len(said)
    return -float(sum(logits[first - 1 + n, token] for n, token in enumerate(said)) / len(said))


def test_the_loss_is_on_the_answer_alone(tiny, tmp_path):
    run = trainer(tiny, tmp_path)
    batch = [run.sample([one], random.Random(1)) for one in run.pool[:3]]
    losses, _ = run.loss(batch)
    for sample, found in zip(batch, losses, strict=True):
        assert found.item() == pytest.approx(alone(run, sample, sample.branches[0]), rel=1e-4)


def test_questions_behind_one_reading_of_their_passages_are_asked_as_if_each_stood_alone(tiny, tmp_path):
    run = trainer(tiny, tmp_path)
    for lora in (lora for _, lora in loras(run.base.model)):
        torch.nn.init.normal_(lora.up, std=0.1)
    sample = run.sample(
        [replace(run.pool[0], question=f"What does the {name} carry?") for name in SHIPS], random.Random(1)
    )
    assert len(sample.branches) == len(SHIPS)
    together, _ = run.loss([sample])
    assert together.tolist() == pytest.approx([alone(run, sample, branch) for branch in sample.branches], rel=1e-4)
    together.sum().backward()
    found = {name: parameter.grad.clone() for name, parameter in run.parameters.items()}
    for parameter in run.parameters.values():
        parameter.grad = None
    for branch in sample.branches:
        run.loss([Sample(sample.passages, [branch])])[0].sum().backward()
    for name, parameter in run.parameters.items():
        torch.testing.assert_close(parameter.grad, found[name], rtol=1e-3, atol=1e-5)


def test_every_question_is_asked_once_a_pass_and_with_others_on_its_passages(tiny, tmp_path):
    run = trainer(tiny, tmp_path, together=2, questions=4)
    run.pool += [
        replace(one, question=f"Tell me the cargo of the {ship}.") for one, ship in zip(run.pool, SHIPS, strict=False)
    ]
    run._groups(0)
    groups = [group for step in range(len(run.steps_ahead)) for group in run._groups(step)]
    asked = [one.question for group in groups for one in group]
    assert len(asked) == len(set(asked))
    assert len(asked) >= len(run.pool) - 3  # the others begin the next pass
    assert all(len({one.gold for one in group}) == 1 and len(group) <= 2 for group in groups)
    assert sum(len(group) == 2 for group in groups) >= 6


def test_no_question_is_asked_behind_a_passage_that_answers_it_by_chance(tiny, tmp_path):
    run = trainer(tiny, tmp_path)
    other = replace(run.pool[0], question="What is in the hold?", answers=("wine",))
    for seed in range(40):
        sample = run.sample([run.pool[0], other], random.Random(seed))
        prompt = run.base.tokenizer.decode(sample.passages)
        assert len(sample.branches) == (1 if "wine" in prompt else 2)


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
    samples = [run.sample([one], random.Random(2)) for one in run.pool]
    samples.append(run.sample(run.pool[:1] * 3, random.Random(2)))
    parts = list(micro_batches(samples, 200))
    assert sorted(s.tokens for part in parts for s in part) == sorted(s.tokens for s in samples)
    assert all(len(part) == 1 or len(part) * max(s.tokens for s in part) <= 200 for part in parts)
    assert [samples[-1]] in parts


def test_what_differs_from_the_usual_settings_is_kept_with_the_reader(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "gathered", lambda *_: harbour())
    card = runs.train_reader(str(tiny), tmp_path, passes=2, rank=2, first_layer=1, questions=4)
    assert card.parts == ["reader"]
    with safe_open(card.path / READER_FILE, "pt") as file:
        settings = ast.literal_eval(file.metadata()["settings"])
        assert {file.get_slice(name).get_shape()[0] for name in file.keys() if name.endswith(LORA_DOWN)} == {2}  # noqa: SIM118
    assert (settings["rank"], settings["first_layer"], settings["questions"], settings["passes"]) == (2, 1, 4, 2)
    with pytest.raises(InfinidocError, match="has 3 layers"):
        runs.train_reader(str(tiny), tmp_path / "other", first_layer=3)
