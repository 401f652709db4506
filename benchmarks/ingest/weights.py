"""The embedded model as llama.cpp wants it: the GGUF that it was converted from, and the same in other precisions."""

import tempfile
from pathlib import Path

from infinidoc.errors import InfinidocError
from infinidoc.home import home
from infinidoc.model.catalogue import base_name
from infinidoc.model.embedded import DEFAULT, EMBEDDED, fetch_gguf

PUBLISHED = "Q4_1"  # most of its tensors


def gguf(quantisation: str) -> Path:
    """A file in the cache, made at the first call. `quantisation` is a tensor type of GGUF, such as F32 or Q8_0.

    Every weight is the published one, dequantised and, unless for F32, rounded once more.
    Raises InfinidocError if the base model isn't the default one, or can't be fetched.
    """
    if base_name() != DEFAULT:
        raise InfinidocError(f"no GGUF of {base_name()} to compare with", "unset INFINIDOC_MODEL")
    folder = home() / "bench" / "gguf"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{DEFAULT}-{quantisation.upper()}.gguf"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=folder) as staging:
        if quantisation.upper() == PUBLISHED:
            fetch_gguf(EMBEDDED[DEFAULT], Path(staging)).replace(target)
        else:
            part = Path(staging) / "part.gguf"
            _requantise(gguf(PUBLISHED), part, quantisation.upper())
            part.replace(target)
    return target


def _requantise(source: Path, target: Path, quantisation: str) -> None:
    """Matrices in one type of numbers, the rest (norms) and all metadata as they are."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import dequantize, quantize

    wanted = GGMLQuantizationType[quantisation]
    reader = GGUFReader(source)
    writer = GGUFWriter(target, arch=reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kind = field.types[0]
            writer.add_key_value(name, field.contents(), kind, field.types[-1] if kind == GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        weights = dequantize(tensor.data, tensor.tensor_type)
        kind = wanted if weights.ndim > 1 else GGMLQuantizationType.F32
        writer.add_tensor(tensor.name, quantize(weights, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
