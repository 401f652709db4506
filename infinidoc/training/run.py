"""Runs a training from the command line: processes, checkpoints, the log and its curves, and the adapter at the end."""

import csv
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file
from torch import Tensor

from infinidoc.errors import InfinidocError
from infinidoc.files import replacing
from infinidoc.model import adapters
from infinidoc.model.adapters import (
    ADDRESS_HEAD,
    HEAD,
    HEAD_FILE,
    READER,
    READER_FILE,
    SLOTS,
    SLOTS_FILE,
    AdapterCard,
)
from infinidoc.model.addresses import address_layer
from infinidoc.model.base import BaseModel, load_base
from infinidoc.training import address_head, books, loop, reader, slots, write_gate
from infinidoc.training.books import Books
from infinidoc.training.questions import Questions, gather
from infinidoc.training.recipes import MAKERS
from infinidoc.training.trainer import LOG, Settings, Step, Trainer

CURVES = "curves.png"
QUESTIONS = "questions.json.xz"
BOOKS, HELD_OUT = "books.safetensors", "held-out"
SMOOTH = 20  # steps of a task that a point of its curve is the mean of


def train(
    model: str | None,
    settings: Settings,
    out: Path,
    notify: Callable[[Step], None] = lambda step: None,
    precision: str = "auto",
) -> AdapterCard:
    """Trains a part, or goes on with it if `out` holds its checkpoint; writes log and adapter there.

    With matplotlib, which infinidoc[train] brings, it draws the log's curves as well.

    Raises InfinidocError if `out` holds another run.
    """
    if settings.processes == 1:
        _work(0, model, settings, out, precision, "", notify)
        return adapters.describe(out)
    with tempfile.TemporaryDirectory() as meeting:
        where = f"file://{meeting}/place"
        others = [
            mp.get_context("spawn").Process(
                target=_work, args=(rank, model, settings, out, precision, where), daemon=True
            )
            for rank in range(1, settings.processes)
        ]
        for process in others:
            process.start()
        try:
            _work(0, model, settings, out, precision, where, notify)
        finally:
            for process in others:
                process.join(timeout=60)
    return adapters.describe(out)


def _work(
    rank: int,
    model: str | None,
    settings: Settings,
    out: Path,
    precision: str,
    where: str,
    notify: Callable[[Step], None] = lambda step: None,
) -> None:
    if settings.processes > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // settings.processes))
        dist.init_process_group("gloo", init_method=where, rank=rank, world_size=settings.processes)
    base = loaded(model, precision)
    check_layer(base, settings.first_layer)
    trainer = Trainer(base, settings, MAKERS, out, rank)
    try:
        trainer.train(notify)
    finally:
        if settings.processes > 1:
            dist.destroy_process_group()
    if rank:
        return
    metadata = described(base, settings, trainer.parts, settings.first_layer)
    run = {"kernel": settings.kernel, "steps": trainer.step, "seconds": round(trainer.seconds)}
    adapters.save(out, trainer.tensors(), metadata | run)
    with suppress(ImportError):  # matplotlib comes with infinidoc[train]
        draw(out)


def train_address_head(
    model: str | None,
    settings: address_head.Settings,
    out: Path,
    notify: Callable[[str, int, int, float], None] = lambda *_: None,
    data: Path | None = None,
) -> AdapterCard:
    """Trains the address head and writes it as an adapter that has no other part; with `data` on its questions too."""
    base = load_base(model)
    more = gathered(out, data) if data else None
    head = address_head.train(base, settings, notify, more)
    metadata = described(base, settings, [ADDRESS_HEAD], first_layer=0) | {"kernel": "least_squares"}
    return adapters.save(out, {HEAD + name: tensor for name, tensor in head.tensors().items()}, metadata, HEAD_FILE)


def train_reader(
    model: str | None,
    out: Path,
    data: Path | None = None,
    notify: Callable[[str, int, int], None] = lambda *_: None,
    precision: str = "auto",
    **settings: Any,
) -> AdapterCard:
    """Trains a reader from the address layer on, or goes on with it if `out` holds its checkpoint, and writes it there.

    `notify` gets what is done, how far it is, and 1,000, which is all. `settings`: what differs in `reader.Settings`.
    Raises InfinidocError if `out` holds another run, or the model has no layer to begin with.
    """
    base = loaded(model, precision)
    out.mkdir(parents=True, exist_ok=True)
    usual = reader.Settings(
        first_layer=address_layer(base.model), together=1 if base.device.type == "cuda" else reader.TOGETHER
    )
    chosen = replace(usual, **settings)
    check_layer(base, chosen.first_layer)
    questions = gathered(out, data, lambda what: notify(what, 0, 1000))  # takes minutes
    trainer = reader.Trainer(base, chosen, questions, out)

    trainer.train(lambda step: notify(told(step), *step.reached))
    metadata = described(base, chosen, [READER], chosen.first_layer)
    run = {"steps": trainer.step, "seconds": round(trainer.seconds)}
    return adapters.save(out, trainer.tensors(), metadata | run, READER_FILE)


def train_slots(
    model: str | None,
    out: Path,
    data: Path,
    notify: Callable[[str, int, int], None] = lambda *_: None,
    precision: str = "auto",
    **settings: Any,
) -> AdapterCard:
    """Trains reading through slots on the books in a directory, or goes on with it if `out` holds its checkpoint, and
    writes it there; books that are held out go into `out`/held-out as text.

    `notify`, `settings`: see `train_reader`. Raises InfinidocError if `out` holds another run, or there are no books.
    """
    base = loaded(model, precision)
    chosen = replace(slots.Settings(), **settings)
    read = bound(out, data, base, lambda what: notify(what, 0, 1000))
    trainer = slots.Trainer(base, chosen, read, out)
    trainer.train(lambda step: notify(told(step), *step.reached), save_every=slots.SAVE_EVERY)
    run = {"steps": trainer.step, "seconds": round(trainer.seconds)}
    tensors = kept_slots(out) | trainer.tensors()
    return adapters.save(out, tensors, described(base, chosen, [SLOTS], 0) | run, SLOTS_FILE)


def train_write_gate(
    model: str | None,
    out: Path,
    data: Path,
    notify: Callable[[str, int, int], None] = lambda *_: None,
    precision: str = "auto",
    **settings: Any,
) -> AdapterCard:
    """Fits the write gate of slots to the books in a directory and writes it to `out`, beside what else is there for
    slots; books that are held out go into `out`/held-out as text.

    `settings`: see `write_gate.Settings`. Raises InfinidocError if there are no books, or none is long enough.
    """
    base = loaded(model, precision)
    chosen = replace(write_gate.Settings(), **settings)
    read = bound(out, data, base, lambda what: notify(what, 0, chosen.excerpts))
    gates = write_gate.fit(base, read, chosen, lambda done: notify("reading", done, chosen.excerpts))
    about = described(base, chosen, [SLOTS], 0) | {"explained": round(gates.explained, 3)}
    return adapters.save(out, kept_slots(out) | gates.tensors, about, SLOTS_FILE)


def kept_slots(out: Path) -> dict[str, Tensor]:
    """What an adapter has for slots already: factors and a write gate are made by commands of their own."""
    return load_file(out / SLOTS_FILE) if (out / SLOTS_FILE).exists() else {}


def check_layer(base: BaseModel, first_layer: int) -> None:
    """Raises InfinidocError for a model that has no such layer."""
    layers = len(base.model.get_decoder().layers)
    if first_layer >= layers:
        raise InfinidocError(
            f"{base.name} has {layers} layers, and training would begin at layer {first_layer}",
            f"it must be from 0 to {layers - 1}",
        )


def told(step: loop.Step) -> str:
    """What is shown of a step."""
    return f"loss {step.loss:.3f}" + ("" if step.right is None else f", right {step.right:.0%}")


def described(base: BaseModel, settings: Any, parts: Sequence[str], first_layer: int) -> dict[str, Any]:
    """What an adapter's file says of it, whatever its parts are."""
    return {
        "model": base.name,
        "model_digest": base.digest,
        "first_layer": first_layer,
        "parts": " ".join(parts),
        "settings": asdict(settings),
    }


def gathered(out: Path, data: Path | None, notify: Callable[[str], None] = lambda what: None) -> Questions:
    """The questions of a run: gathered once, a matter of minutes, and then kept beside its checkpoint."""
    file = out / QUESTIONS
    if not file.exists():
        questions = gather(data, random.Random(0), notify)
        with replacing(file) as temporary:
            questions.save(temporary)
    return Questions.load(file)


def bound(out: Path, data: Path, base: BaseModel, notify: Callable[[str], None] = lambda what: None) -> Books:
    """The books of a run as token ids: read once, and then kept beside its checkpoint."""
    file = out / BOOKS
    if not file.exists():
        training, held_out = books.found(data)
        books.write_out(held_out, out / HELD_OUT)
        read = books.tokenised(training, base.encode, notify)
        with replacing(file) as temporary:
            read.save(temporary)
    return Books.load(file)


def loaded(model: str | None, precision: str) -> BaseModel:
    """A base model as it is trained."""
    base = load_base(model)
    weights: Any = base.model  # its mixins confuse type checkers
    weights.to(training_dtype(precision, base))
    return base


def training_dtype(precision: str, base: BaseModel) -> torch.dtype:
    """ "auto" is bfloat16 where the processor multiplies it faster than float32, else float32."""
    choices: dict[str, Any] = {"fp32": torch.float32, "bf16": torch.bfloat16}
    if precision == "auto":
        flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
        fast = base.device.type == "cuda" or "avx512_bf16" in flags or "amx_bf16" in flags
        return torch.bfloat16 if fast else torch.float32
    if precision not in choices:
        raise InfinidocError(f"no precision {precision}", "choose auto, fp32 or bf16")
    dtype: torch.dtype = choices[precision]
    return dtype


def draw(out: Path) -> None:
    """The curves of a run's log: loss and share of right answer tokens against steps, a line per task.

    Raises ImportError without matplotlib.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    losses: dict[str, list[tuple[int, float]]] = defaultdict(list)
    rights: dict[str, list[tuple[int, float]]] = defaultdict(list)
    with (out / LOG).open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            losses[row["task"]].append((int(row["step"]), float(row["loss"])))
            rights[row["task"]].append((int(row["step"]), float(row["right"])))
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(9, 8), sharex=True, layout="constrained")
    for axes, curves, title in ((upper, losses, "loss (nats per answer token)"), (lower, rights, "tokens right")):
        for number, (task, points) in enumerate(sorted(curves.items())):
            if task == "keep" and axes is lower:  # a distance: nothing to be right about
                continue
            smooth = [
                (points[i][0], sum(value for _, value in points[max(0, i - SMOOTH + 1) : i + 1]) / min(i + 1, SMOOTH))
                for i in range(len(points))
            ]
            axes.plot(*zip(*smooth, strict=True), label=task, color=f"C{number}")
        axes.set_ylabel(title)
        axes.grid(alpha=0.3)
    upper.legend(ncols=3, fontsize=8)
    lower.set_xlabel("step")
    figure.savefig(out / CURVES, dpi=120)
    pyplot.close(figure)
