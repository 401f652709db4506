"""Which precision is chosen, and what is said of one that there isn't."""

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.model.precision import checked, dtype_of, fastest, name_of, wanted


@pytest.mark.parametrize(("has_bf16", "has_amx", "expected"), [(1, 0, "bf16"), (0, 1, "bf16"), (0, 0, "fp32")])
def test_bf16_only_where_the_processor_has_instructions_for_it(monkeypatch, has_bf16, has_amx, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bool(has_bf16))
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: bool(has_amx))
    assert fastest(torch.device("cpu")) == expected


def test_names_and_dtypes_belong_together(monkeypatch):
    assert [name_of(dtype_of(name)) for name in ("fp32", "bf16")] == ["fp32", "bf16"]
    assert dtype_of("int8") is dtype_of(fastest(torch.device("cpu")))  # what isn't rounded
    monkeypatch.delenv("INFINIDOC_PRECISION")
    assert wanted() is None
    monkeypatch.setenv("INFINIDOC_PRECISION", "bf16")
    assert wanted() == "bf16"
    with pytest.raises(InfinidocError, match="the precision is fp8: choose fp32, bf16 or int8"):
        checked("fp8")
