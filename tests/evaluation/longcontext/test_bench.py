"""From a loaded model to a result: what it says, what is written, what is drawn."""

import json
import sys

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.evaluation import plots, results
from infinidoc.evaluation.longcontext.bench import Bench, memory
from infinidoc.evaluation.longcontext.prose import read_prose
from infinidoc.model import adapters
from infinidoc.model.adapters import choose
from infinidoc.model.attention import attention_modules
from infinidoc.model.loading import load
from tests.evaluation.models import tiny_base

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def base(tiny):
    return tiny_base(tiny)


@pytest.fixture
def text(base, tmp_path):
    file = tmp_path / "work" / "book.txt"
    file.write_text("The lighthouse keeper wrote the number of every passing ship.\n\n" * 3 + "ship grain wine " * 900)
    return read_prose([file], base.encode)


def results_of(base, text):
    bench = Bench(base, None, [256, 1024], samples=1)
    assert len(text) > 1200
    yield bench.passkey()
    yield bench.needle(text)
    yield bench.babi(text)
    yield Bench(base, None, [512, 1024], samples=1).perplexity(text)
    yield memory(str(base.path), None, [256, 1024])


COLUMNS = {
    "passkey": ["length", "depth", "accuracy", "n"],
    "needle": ["length", "depth", "accuracy", "n"],
    "babi": ["length", "task", "accuracy", "n"],
    "perplexity": ["length", "system", "nll", "perplexity", "tokens", "read"],
    "memory": ["length", "system", "numbers", "bytes"],
}
LABELS = {
    "passkey": [0.0, 0.5, 1.0],
    "needle": [0.0, 0.25, 0.5, 0.75, 1.0],
    "babi": ["qa1", "qa2", "qa3", "qa4", "qa5"],
    "perplexity": ["window", "memory", "full"],
    "memory": [
        "full attention",
        "Memorizing Transformer, 65K + 2K",
        "Transformer-XL, 2K",
        "Compressive Transformer, 2K + 2K",
        "RMT, 100 vectors",
        "Infini-Transformer",
        "infinidoc, state",
        "infinidoc, state and addresses",
    ],
}


def test_every_result_says_how_it_came_about_and_is_written_and_drawn(base, text, tmp_path):
    seen = []
    lengths = {name: [512, 1024] if name == "perplexity" else [256, 1024] for name in COLUMNS}
    for result in results_of(base, text):
        name = result["benchmark"]
        seen.append(name)
        assert all(list(row) == COLUMNS[name] for row in result["rows"])
        assert [(row["length"], row[COLUMNS[name][1]]) for row in result["rows"]] == [
            (length, label) for length in lengths[name] for label in LABELS[name]
        ]
        assert result["model"] == {"name": str(base.path), "digest": base.digest}
        assert result["adapter"] is None
        assert result["kernel"] == "least_squares"
        assert {"version", "command", "libraries", "python"} <= result.keys()
        assert result["published"]["source"]
        assert all(len(row) == len(result["published"]["columns"]) for row in result["published"]["rows"])
        if name != "memory":
            assert {"samples", "seed", "seconds", "tokens_read"} <= result.keys()
        if name in ("needle", "babi", "perplexity"):
            assert result["prose"]["tokens"] == len(text)
        assert json.loads(results.write(tmp_path / "out", result).read_text()) == json.loads(json.dumps(result))
        drawn = plots.draw(tmp_path / "out", result)
        assert drawn.read_bytes().startswith(PNG)
    assert seen == list(COLUMNS)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(
        [f"{name}.{kind}" for name in COLUMNS for kind in ("json", "png")]
    )


def test_prose_that_is_too_short_is_refused_before_anything_is_read(base, text):
    seen = []
    bench = Bench(base, None, [256, 10**6], samples=1, notify=seen.append)
    for run in (bench.needle, bench.babi, bench.perplexity):
        with pytest.raises(InfinidocError, match=f"{len(text):,}"):
            run(text)
    assert not seen


def test_without_matplotlib_the_numbers_stay_and_the_hint_is_clear(tmp_path, monkeypatch, tiny):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InfinidocError, match=r"pip install 'infinidoc\[bench\]'"):
        plots.draw(tmp_path / "out", memory(str(tiny), None, [1024]))


def test_an_adapter_is_found_attached_and_named(tiny, home):
    import torch

    base, found = load(str(tiny))
    assert found is None
    assert all(module.infini.is_closed() for module in attention_modules(base.model))
    about = {"model": "tiny", "model_digest": base.digest, "kernel": "linear", "first_layer": 0, "parts": "memory"}
    adapters.save(home / "adapters" / "open", {"layers.1.infini.gate_bias": torch.zeros(4)}, about)
    base, found = load(str(tiny), "open")
    assert base.model.config.infini_kernel == "linear"
    assert attention_modules(base.model)[1].infini.gate_bias.tolist() == [0.0] * 4
    result = Bench(base, found, [256], samples=1).passkey()
    assert result["adapter"] == {"name": "open", "digest": found.digest}
    assert result["kernel"] == "linear"
    adapters.use(base.digest, "open")
    assert choose(base.digest).name == "open"
    assert choose(base.digest, "none") is None
    with pytest.raises(InfinidocError, match="no adapter nope"):
        load(str(tiny), "nope")


def test_what_an_adapter_has_for_slots_changes_no_other_row(tiny, home, text):
    import torch

    plain, _ = load(str(tiny), "none")
    about = {"model": "tiny", "model_digest": plain.digest, "first_layer": 0, "parts": "slots"}
    factors = {"lora_down": torch.randn(2, 64), "lora_up": torch.randn(64, 2)}
    tensors = {f"layers.1.self_attn.q_proj.{name}": factor for name, factor in factors.items()}

    def rows(adapter):
        base, found = load(str(tiny), adapter)
        result = Bench(base, found, [1024], samples=1, slots=[16]).perplexity(text)
        return {row["system"]: row["nll"] for row in result["rows"]}

    adapters.save(home / "adapters" / "slotted", tensors, about, adapters.SLOTS_FILE)
    before, after = rows("none"), rows("slotted")
    assert before.pop("16 slots") != after.pop("16 slots")
    assert before == after
    changed = {name: 2 * factor for name, factor in tensors.items()}
    adapters.save(home / "adapters" / "slotted", changed, about, adapters.SLOTS_FILE)
    assert rows("slotted")["16 slots"] not in (before | after).values()  # nothing of the earlier part is gone on with
