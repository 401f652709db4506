"""The parts of `gpu.sh` that know infinidoc: what is packed for a machine with a GPU, and what is trained there."""

import argparse
import importlib
import shutil
import sys
import time
from pathlib import Path

import torch

from infinidoc.model import base as bases
from infinidoc.model import gguf
from infinidoc.model.embedded import DEFAULT, EMBEDDED, fetch_gguf

RUNS, GGUF, MODEL, NAME = Path("runs"), Path("model.gguf"), Path("model"), Path("model.txt")
GPU_LENGTH = 4096  # tokens of an excerpt of a book
CARRIED = ("gguf", "platformdirs")  # pure Python, and not everywhere
LENGTHS, SLOTS, SAMPLES = (1024, 2048, 8192), (128, 256), 20  # what slots are measured on, trained and untrained


def pack(folder: Path, model: str, prose: Path | None, questions: Path | None) -> None:
    """Puts a model and the data of its runs into a folder."""
    from infinidoc.training.run import bound, gathered

    say(f"the model {model}")
    loaded = bases.load_base(model)
    (folder / NAME).write_text(model if model in EMBEDDED else str(MODEL), encoding="utf-8")
    if model in EMBEDDED:  # a fifth of what it is when converted
        download = folder.parent / "download" / model
        download.mkdir(parents=True, exist_ok=True)
        fetch_gguf(EMBEDDED[model], download).replace(folder / GGUF)
    else:
        shutil.copytree(loaded.path, folder / MODEL)
    for module in CARRIED:
        shutil.copytree(Path(str(importlib.import_module(module).__file__)).parent, folder / module)
    if prose:
        bound(folder / RUNS / "slots", prose, loaded, say)
    if questions:
        gathered(folder / RUNS / "reader", questions, say)


def train(part: str, minutes: float) -> None:
    """Trains one part for so many minutes, or goes on with it."""
    from infinidoc.training import address_head, run

    model, out, data = unpacked(), RUNS / part, Path()  # the data are in the run's directory already
    if part == "slots":
        length = {"length": GPU_LENGTH} if torch.cuda.is_available() else {}
        run.train_slots(model, out, data, told, minutes=minutes, **length)
        measure(model, out)
    elif part == "reader":
        run.train_reader(model, out, data, told, minutes=minutes)
    else:
        (out / run.QUESTIONS).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(RUNS / "reader" / run.QUESTIONS, out)
        steps = max(1, round(minutes * 400))
        run.train_address_head(model, address_head.Settings(steps=steps), out, heard, data)
    say("done")


def unpacked() -> str:
    """The model's name, or its directory; converted at the first call."""
    name = NAME.read_text(encoding="utf-8")
    if name in EMBEDDED and not EMBEDDED[name].folder.is_dir():
        say("converting the model")
        EMBEDDED[name].folder.parent.mkdir(parents=True, exist_ok=True)
        gguf.convert(GGUF, EMBEDDED[name].folder, EMBEDDED[name].dtype, lambda done, total: None)
    return name


def measure(model: str, out: Path) -> None:
    """Perplexity behind slots on books that were held out, with what was trained and without."""
    from infinidoc.evaluation.ledger import Ledger
    from infinidoc.evaluation.longcontext.perplexity import Perplexity
    from infinidoc.evaluation.longcontext.prose import read_prose
    from infinidoc.evaluation.longcontext.reader import Reader
    from infinidoc.model.loading import load
    from infinidoc.training.run import HELD_OUT

    base, _ = load(model, "none")
    text = read_prose([out / HELD_OUT], base.encode)
    longest = max(len(text.document(index)) for index in range(len(text.names)))
    lengths = [length for length in LENGTHS if 2 * length <= longest]
    for trained in (None, load(model, str(out), slots=True)[0]):
        ledger = Ledger({"benchmark": "perplexity", "time": time.time()})
        run = Perplexity(Reader(base), text, SAMPLES, 0, ledger, slots=SLOTS, slotted=trained)
        for row in run.run(lengths):
            say(f"{'trained' if trained else 'untrained'}: {row}")


def told(what: str, done: int, total: int) -> None:
    say(f"{done / total:6.1%} {what}")


def heard(stage: str, done: int, total: int, loss: float) -> None:
    if done % 100 == 0:
        say(f"{stage} {done}/{total} {loss:.3f}")


def say(what: str) -> None:
    print(f"{time.perf_counter() - BEGAN:7.1f} s  {what}", flush=True)


BEGAN = time.perf_counter()

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    packing = commands.add_parser("pack")
    packing.add_argument("folder", type=Path)
    packing.add_argument("--model", default=DEFAULT)
    packing.add_argument("--prose", type=Path)
    packing.add_argument("--questions", type=Path)
    training = commands.add_parser("train")
    training.add_argument("part", choices=["slots", "reader", "address-head"])
    training.add_argument("minutes", type=float)
    options = vars(parser.parse_args())
    sys.exit({"pack": pack, "train": train}[options.pop("command")](**options))
