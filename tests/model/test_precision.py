"""Which precision is chosen, and what is said of one that there isn't."""

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.model.precision import checked, dtype_of, has_bf16, name_of, wanted


@pytest.mark.parametrize(("avx512", "amx", "expected"), [(1, 0, "bf16"), (0, 1, "bf16"), (0, 0, "fp32")])
def test_what_int8_leaves_is_in_bf16_only_where_the_processor_has_instructions_for_it(
    monkeypatch, avx512, amx, expected
):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bool(avx512))
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: bool(amx))
    assert has_bf16(torch.device("cpu")) == (expected == "bf16")
    assert name_of(dtype_of("int8")) == expected


def test_names_and_dtypes_belong_together(monkeypatch):
    assert [name_of(dtype_of(name)) for name in ("fp32", "bf16")] == ["fp32", "bf16"]
    monkeypatch.delenv("INFINIDOC_PRECISION")
    assert wanted() is None
    monkeypatch.setenv("INFINIDOC_PRECISION", "auto")
    assert wanted() is None
    monkeypatch.setenv("INFINIDOC_PRECISION", "bf16")
    assert wanted() == "bf16"
    with pytest.raises(InfinidocError, match="the precision is fp8: choose fp32, bf16 or int8"):
        checked("fp8")
