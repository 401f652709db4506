"""What memories take, by hand-worked cases; and the paper's own numbers."""

import pytest

from infinidoc.evaluation.longcontext import footprint
from infinidoc.evaluation.longcontext.footprint import PAPER, Memory, Shape, paper_check
from infinidoc.model import adapters

SMALL = Shape(layers=2, heads=3, key=5, value=7, model=11)


def test_the_formulas_of_table_1():
    assert footprint.full_attention(SMALL, 10) == (5 + 7) * 3 * 10 * 2
    assert footprint.transformer_xl(SMALL, 10) == (5 + 7) * 3 * 10 * 2
    assert footprint.compressive_transformer(SMALL, 10, 4) == 11 * 14 * 2
    assert footprint.memorizing_transformer(SMALL, 100, 10) == (5 + 7) * 3 * 100 + (5 + 7) * 3 * 10 * 2
    assert footprint.memorizing_transformer(SMALL, 10**9, 10) == (5 + 7) * 3 * 65_000 + (5 + 7) * 3 * 10 * 2
    assert footprint.recurrent_memory(SMALL, 4) == 11 * 4 * 2 * 2
    assert footprint.infini_transformer(SMALL) == 5 * 8 * 3 * 2


def test_the_sizes_that_the_paper_prints_and_its_114_times():
    """Table 2: Transformer-XL 50M, Memorizing Transformers 183M, RMT 2.5M, Infini-Transformer 1.6M (114x)."""
    found = paper_check()
    assert round(found["transformer_xl"] / 1e6) == 50
    assert round(found["memorizing_transformer"] / 1e6) == 183
    assert round(found["rmt"] / 1e6, 1) == 2.5
    assert round(found["infini_transformer"] / 1e6, 1) == 1.6
    assert round(found["ratio_of_rounded"]) == found["published_ratio"] == 114
    assert 114 < found["ratio"] < 117
    assert Shape(12, 8, 128, 128, 1024) == PAPER


def test_rows_count_ours_as_stored_and_others_in_half_precision():
    rows = footprint.rows(SMALL, Memory(state=100, width=8), [10, 1000])
    found = {(row["length"], row["system"]): (row["numbers"], row["bytes"]) for row in rows}
    assert found[10, "full attention"] == (720, 1440)
    assert found[10, "infinidoc, state"] == found[1000, "infinidoc, state"] == (100, 800)
    assert found[1000, "infinidoc, state and addresses"] == (100 + 128_000, 800 + 128_000)
    assert found[10, "Infini-Transformer"] == found[1000, "Infini-Transformer"]


def test_a_model_s_own_shape_and_state(tiny):
    """The tiny llama: 3 layers, 2 KV heads of 16, hidden size 64; two 16 × 16 sums per head, in float64."""
    shape, memory, named = footprint.of(str(tiny), None)
    assert shape == Shape(layers=3, heads=2, key=16, value=16, model=64)
    assert memory == Memory(state=3 * 2 * 2 * 16 * 16, width=8)
    assert named["kernel"] == "least_squares"
    assert named["adapter"] is None
    assert named["model"]["name"] == str(tiny)


def test_an_adapter_s_kernel_and_first_layer_count(tiny, home):
    import torch

    _, _, named = footprint.of(str(tiny), None)
    about = {"model": "tiny", "model_digest": named["model"]["digest"], "kernel": "least_squares_dpfp1"}
    folder = home / "adapters" / "wide"
    adapters.save(folder, {"layers.1.infini.gate_bias": torch.zeros(4)}, {**about, "first_layer": 1, "parts": "memory"})
    _, memory, named = footprint.of(str(tiny), "wide")
    assert memory.state == (3 - 1) * 2 * (32 * 16 + 32 * 32)
    assert named["adapter"]["name"] == "wide"
    assert len(named["adapter"]["digest"]) == 64


@pytest.mark.real
def test_the_embedded_model_keeps_six_megabytes_however_long_the_text():
    _, memory, _ = footprint.of(None, "none")
    assert memory.state * memory.width == 30 * 3 * 2 * 64 * 64 * 8
