"""`training/gpu.sh`, to a machine that has nothing else and back: with the tiny model, on a processor."""

import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infinidoc.model import adapters
from infinidoc.model.base import load_base
from infinidoc.training.questions import Asked, Questions

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="what is packed is what git knows")


def script(*arguments, where, **more):
    environment = {**os.environ, "PYTHON": sys.executable, **{name: str(value) for name, value in more.items()}}
    done = subprocess.run(
        ["bash", where / "training" / "gpu.sh", *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_packed_carried_trained_and_brought_back(tiny, tmp_path):
    prose, here, there = tmp_path / "prose", tmp_path / "gpu", tmp_path / "there"
    prose.mkdir()
    for number in range(4):
        text = " ".join(f"Ship {line} of {number} carries grain." for line in range(130))  # 2,160 tokens
        (prose / f"{number}.jsonl.xz").write_bytes(lzma.compress(json.dumps({"text": text}).encode()))
    script("pack", "--model", tiny, "--prose", prose, where=CHECKOUT, GPU=here, PIECE="2m")
    parts = sorted((here / "parts").iterdir())
    assert len(parts) > 1
    assert max(part.stat().st_size for part in parts) <= 2 << 20

    there.mkdir()
    subprocess.run(["tar", "x", "-C", there], input=b"".join(part.read_bytes() for part in parts), check=True)
    questions = Questions()
    number = questions.text("a.txt", "The Amalia carries grain and wine.")
    questions.asked += [Asked("test", "What does she carry?", ("grain",), "answer", (number,))] * 60
    (there / "runs" / "reader").mkdir()
    questions.save(there / "runs" / "reader" / "questions.json.xz")
    (here / "back").mkdir()
    elsewhere = {"OUT": here / "back", "INFINIDOC_HOME": tmp_path / "no-home", "PYTHONPATH": "", "BACK_PIECE": "1m"}
    said = script("train", "slots", 0.02, "reader", 0.02, where=there, **elsewhere)
    assert "untrained: {" in said
    assert "trained: {'length': 1024, 'system': '256 slots'" in said

    script("back", where=CHECKOUT, GPU=here)
    made = {part: adapters.describe(here / "runs" / part) for part in ("slots", "reader")}
    assert {part: card.parts for part, card in made.items()} == {"slots": ["slots"], "reader": ["reader"]}
    assert {card.model_digest for card in made.values()} == {load_base(str(tiny)).digest}
    assert (here / "runs" / "slots" / "slots-checkpoint.safetensors").is_file()
    assert max(piece.stat().st_size for piece in (here / "back").iterdir()) <= 1 << 20
