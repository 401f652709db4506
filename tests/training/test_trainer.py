"""Training on the tiny model: the mechanism is learnt, a run resumes exactly, processes share the work."""

import csv
import math
import random
import sys
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch.multiprocessing import spawn

from infinidoc.errors import InfinidocError
from infinidoc.model import adapters
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import load_base
from infinidoc.model.lora import loras
from infinidoc.training.batches import gather, run, tell
from infinidoc.training.examples import TrainingExample
from infinidoc.training.run import draw, train, training_dtype
from infinidoc.training.trainer import CHECKPOINT, LOG, Settings, Trainer

NAMES, VALUES = "abcdefgh", "012345"


def pairs(rng, difficulty, background=0.0):
    """Two names with a digit each, told in one segment and asked in another: nothing but the memory joins them."""
    told = {name: rng.choice(VALUES) for name in rng.sample(NAMES, 2)}
    return TrainingExample(
        (" ".join(name + value for name, value in told.items()),), tuple(told.items()), (), background
    )


def settings(**changes):
    standard = {"first_layer": 0, "rank": 4, "mlp": True, "steps": 6, "batch_tokens": 100, "tasks": {"pairs": 1.0}}
    return Settings(**{**standard, **changes})


def weights(trainer):
    return {name: parameter.detach().clone() for name, parameter in trainer.parameters.items()}


def test_least_squares_learns_the_mechanism(tiny, tmp_path):
    """A frozen random model: 95 % of values that only the memory can know (chance: 17 %), after 250 steps."""
    base = load_base(str(tiny))
    wanted = settings(rank=32, steps=250, batch_tokens=700, rate=8.0)
    trainer = Trainer(base, wanted, {"pairs": pairs}, tmp_path)
    rights = []
    trainer.train(lambda step: rights.append(step.right), save_every=10_000)
    assert sum(rights[:20]) / 20 < 0.4
    with torch.no_grad():
        rng = random.Random("unseen")
        fresh = [run(base, gather(lambda: pairs(rng, 1.0), base, 700)) for _ in range(10)]
        assert sum(outcome.right for outcome in fresh) / 10 >= 0.95
        # The same questions with nothing told: nobody can know.
        silent = [TrainingExample((), example.turns) for example in gather(lambda: pairs(rng, 1.0), base, 3000)]
        assert run(base, silent).right < 0.4


@pytest.mark.parametrize("tasks", [{"pairs": 1.0}, {"pairs": 1.0, "keep": 1.0}])
def test_resuming_gives_the_same_weights_as_not_stopping(tiny, tmp_path, tasks):
    def trainer(out):
        return Trainer(load_base(str(tiny)), settings(tasks=tasks), {"pairs": prose_and_pairs}, out)

    whole = trainer(tmp_path / "whole")
    whole.train()
    trainer(tmp_path / "parts").train(stop_at=2)
    trainer(tmp_path / "parts").train(stop_at=5)
    parts = trainer(tmp_path / "parts")
    parts.train()
    assert parts.step == whole.step == 6
    before = weights(trainer(tmp_path / "none"))
    changed = 0
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(parts)[name]), name
        changed += not torch.equal(tensor, before[name])
    assert changed > len(before) / 2
    rows = list(csv.DictReader((tmp_path / "parts" / LOG).open(encoding="utf-8")))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]


def prose_and_pairs(rng, difficulty):
    """Leaves prose for other examples' background, and has some itself."""
    example = pairs(rng, difficulty, background=50.0)
    prose = " ".join(name + rng.choice(VALUES) for name in "xyz")
    return TrainingExample((*example.told, prose), example.turns, (1.0, 2.0), example.background, prose=(1,))


def test_another_run_in_the_same_place_is_refused(tiny, tmp_path):
    Trainer(load_base(str(tiny)), settings(steps=1), {"pairs": pairs}, tmp_path).train()
    other = Trainer(load_base(str(tiny)), settings(steps=2), {"pairs": pairs}, tmp_path)
    with pytest.raises(InfinidocError, match="holds a run with other settings"):
        other.train()


def test_an_unknown_task_is_refused(tiny, tmp_path):
    with pytest.raises(InfinidocError, match="no task juggling: choose of pairs, keep"):
        Trainer(load_base(str(tiny)), settings(tasks={"juggling": 1.0}), {"pairs": pairs}, tmp_path)


def test_a_run_that_cannot_start_leaves_nothing(tiny, tmp_path):
    with pytest.raises(InfinidocError, match="no adapter nowhere"):
        train(str(tiny), settings(tasks={"facts": 1.0}, init=["nowhere"]), tmp_path / "run", precision="fp32")
    assert not (tmp_path / "run").exists()


def test_counted_segments_are_the_same_as_repeated_ones(tiny):
    """Counting is folding again and again: what makes long haystacks cheap in training."""
    base = load_base(str(tiny))
    Trainer(base, settings(), {"pairs": pairs}, tiny)
    with torch.no_grad():
        counted, _ = tell(base, [TrainingExample(("a1 b2", "filler"), (("a", "1"),), (1.0, 3.0))])
        memory = CompressiveMemory(base.model)
        for text in ("a1 b2", "filler", "filler", "filler"):
            alone, _ = tell(base, [TrainingExample((text,), (("a", "1"),))])
            old = memory.state
            memory.load(alone if old is None else [a + b for a, b in zip(old, alone, strict=True)])
        for mine, theirs in zip(counted, memory.state, strict=True):
            torch.testing.assert_close(mine.association, theirs.association)
            torch.testing.assert_close(mine.normaliser, theirs.normaliser)
            torch.testing.assert_close(mine.tokens, theirs.tokens)


def test_only_answers_are_scored(tiny):
    base = load_base(str(tiny))
    Trainer(base, settings(), {"pairs": pairs}, tiny)
    answers = (" grain", " wine and more")
    example = TrainingExample((), (("What is it?", answers[0]), (" And then?", answers[1])))
    with torch.no_grad():
        outcome = run(base, [example])
        ids = torch.tensor(
            [[*base.start, *(token for turn in example.turns for text in turn for token in base.encode(text))]]
        )
        logits = base.model(ids).logits[0].log_softmax(-1)
    position, losses = len(base.start), []
    for prompt, answer in example.turns:
        position += len(base.encode(prompt))
        for token in base.encode(answer):
            losses.append(-logits[position - 1, token].item())
            position += 1
    assert outcome.tokens == len(losses)
    assert math.isclose(outcome.loss.item(), sum(losses) / len(losses), rel_tol=1e-4)


def work(rank, where, model, out):
    """One of three processes: a run without a stop, the same one with a stop, and what is learnt in both."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=3, timeout=timedelta(minutes=2))
    wanted = settings(steps=4, processes=3, tasks={"pairs": 1.0})

    def trainer(name):
        return Trainer(load_base(model), wanted, {"pairs": prose_and_pairs}, out / name, rank)

    whole = trainer("whole")
    whole.train()
    trainer("parts").train(stop_at=2)
    parts = trainer("parts")
    parts.train()
    save_file(weights(whole), out / f"whole-{rank}")
    save_file(weights(parts), out / f"parts-{rank}")
    dist.destroy_process_group()


def test_processes_learn_the_same_and_go_on_from_the_same_step(tiny, tmp_path):
    """Gradients are averaged, so all end with the same weights; one file has what each of them needs to go on."""
    where = f"file://{tmp_path}/place"
    spawn(work, (where, str(tiny), tmp_path), nprocs=3)
    first, *others = (load_file(tmp_path / f"{name}-{rank}") for name in ("whole", "parts") for rank in range(3))
    for other in others:
        assert all(torch.equal(first[name], other[name]) for name in first)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == [CHECKPOINT, LOG]
    kept = load_file(tmp_path / "parts" / CHECKPOINT)
    backgrounds = [kept[f"background{rank}.0.association"] for rank in ("", 1, 2)]
    assert not torch.equal(backgrounds[0], backgrounds[1])
    assert not torch.equal(backgrounds[1], backgrounds[2])


def test_a_run_leaves_an_adapter_with_matplotlib_and_without(tiny, tmp_path, monkeypatch):
    wanted = Settings(first_layer=1, rank=2, steps=2, batch_tokens=200, tasks={"facts": 1.0})
    for name in ("with", "without"):
        card = train(str(tiny), wanted, tmp_path / name, precision="fp32")
        assert card.parts == ["memory"]
        adapters.attach_adapter(load_base(str(tiny)), adapters.load(card))
        monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert (tmp_path / "with" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "without" / "curves.png").exists()


def test_joined_runs_start_from_the_sum_of_their_parts(tiny, tmp_path):
    ids = torch.arange(5, 25)[None]
    changes = []
    plain = load_base(str(tiny)).model(ids).logits.detach()
    for seed, mlp in ((1, False), (2, True)):
        out = tmp_path / str(seed)
        trainer = Trainer(load_base(str(tiny)), settings(rank=2, mlp=mlp, seed=seed), {"pairs": pairs}, out)
        torch.manual_seed(seed)
        with torch.no_grad():
            for name, parameter in trainer.parameters.items():
                if name.endswith(adapters.LORA_UP):
                    parameter.normal_(std=0.05)
        about = {"model": "tiny", "model_digest": trainer.base.digest, "kernel": "least_squares", "first_layer": 0}
        adapters.save(out, trainer.tensors(), {**about, "parts": "memory"})
        merged = load_base(str(tiny))
        adapters.attach_adapter(merged, adapters.load(adapters.describe(out)))
        changes.append(
            {
                n: p.detach() - dict(load_base(str(tiny)).model.named_parameters())[n].detach()
                for n, p in merged.model.named_parameters()
                if n.endswith("q_proj.weight")
            }
        )
    both = Trainer(
        load_base(str(tiny)),
        settings(rank=4, init=[str(tmp_path / "1"), str(tmp_path / "2")]),
        {"pairs": pairs},
        tmp_path / "both",
    )
    for name, lora in loras(both.base.model):
        if name.endswith("q_proj"):
            key = f"model.{name}.weight"
            torch.testing.assert_close(lora.change(), changes[0][key] + changes[1][key], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(both.base.model(ids).logits, plain, atol=1e-2)
    with pytest.raises(InfinidocError, match="has no room in this run"):
        Trainer(load_base(str(tiny)), settings(rank=3, init=both.settings.init), {"pairs": pairs}, tmp_path / "no")


def test_precision(tiny):
    base = load_base(str(tiny))
    assert training_dtype("bf16", base) is torch.bfloat16
    assert training_dtype("fp32", base) is torch.float32
    assert training_dtype("auto", base) in (torch.float32, torch.bfloat16)
    with pytest.raises(InfinidocError, match="no precision fp8: choose auto, fp32 or bf16"):
        training_dtype("fp8", base)


def test_curves_of_a_short_run(tmp_path):
    (tmp_path / LOG).write_text("step,task,loss,right,tokens,seconds\n1,facts,2.5,0.1,10,0.5\n2,keep,0.1,0,0,0.9\n")
    draw(tmp_path)
    assert (tmp_path / "curves.png").stat().st_size > 5000
