"""The base model, loaded. Nothing of it is changed by infinidoc, only attached to.

torch takes a second to import, so only the functions that need it do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infinidoc.errors import InfinidocError
from infinidoc.model.catalogue import (
    FAMILIES,
    base_name,
    describe,
    digest,
    ensure,
    first_line,
    quiet,
    read_json,
    weight_files,
)
from infinidoc.model.embedded import EMBEDDED, Progress, nothing
from infinidoc.model.precision import BF16, FP32, INT8, dtype_of, has_bf16, keep_few_shapes, name_of, wanted

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    from infinidoc.model.decoder import Model
    from infinidoc.model.tokenizer import Encode


@dataclass(frozen=True)
class BaseModel:
    """A loaded base model: frozen, in eval mode. `digest` stands for its weights, its config and its vocabulary.

    `stops` are the tokens that end what it says.
    """

    name: str
    path: Path
    digest: str
    model: "Model"
    vocabulary: "Tokenizer"
    encode: "Encode"
    stops: tuple[int, ...]
    device: "torch.device"
    dtype: "torch.dtype"

    @property
    def precision(self) -> str:
        """fp32, bf16 or int8."""
        from infinidoc.model.quantization import is_quantised

        return INT8 if is_quantised(self.model) else name_of(self.dtype)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, but for special ones."""
        return str(self.vocabulary.decode(list(ids)))

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerFast":
        """The tokenizer of `transformers`, which takes seconds to import: for chat templates and the like."""
        from transformers import PreTrainedTokenizerFast

        with quiet():
            return PreTrainedTokenizerFast.from_pretrained(self.path, local_files_only=True)

    @cached_property
    def start(self) -> list[int]:
        """The tokens that every segment begins with: what the tokenizer itself puts first (BOS), else the token that
        separated documents in pretraining. Attention likes to have a first token that means nothing."""
        own: list[int] = self.vocabulary.encode("").ids
        separator = self.vocabulary.token_to_id("<|endoftext|>")
        return own or ([separator] if separator is not None else [])

    @cached_property
    def marks(self) -> tuple[int, int]:
        """The tokens that open and close a part of a reader's prompt: those of a chat's turns, else the end of text."""
        opening, closing = (self.vocabulary.token_to_id(f"<|im_{name}|>") for name in ("start", "end"))
        if opening is None or closing is None:
            return self.stops[0], self.stops[0]
        return opening, closing


def choose_device(device: "str | torch.device | None" = None) -> "torch.device":
    """The one asked for, or the best there is: cuda, mps, cpu. Raises InfinidocError for one that isn't there."""
    import torch

    if device is None:
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise InfinidocError(f"no device {device} here ({first_line(error)})", "try cpu") from error


def choose_dtype(device: "torch.device") -> "torch.dtype":
    """`INFINIDOC_PRECISION`, else bfloat16 on a GPU that has it, else float32: what is trained and measured in.

    Raises InfinidocError for a precision that there isn't.
    """
    return dtype_of(wanted() or (BF16 if device.type == "cuda" and has_bf16(device) else FP32))


def load_base(
    name: str | None = None,
    device: "str | torch.device | None" = None,
    dtype: "torch.dtype | None" = None,
    progress: Progress = nothing,
) -> BaseModel:
    """Load a model for reading and answering, fetching it first if need be.

    Raises InfinidocError if it can't be had, is damaged, or is of no family that infinidoc knows.
    """
    name = base_name(name)
    card = describe(name, ensure(name, progress))
    identity = digest(card.path)

    from tokenizers import Tokenizer

    from infinidoc.model.decoder import LanguageModel, halved, is_plain
    from infinidoc.model.tokenizer import build_encode_late

    keep_few_shapes()
    device = choose_device(device)
    dtype = dtype or choose_dtype(device)
    config = read_json(card.path / "config.json")
    model: Model
    try:
        if is_plain(config):
            files = weight_files(card.path)
            if name in EMBEDDED and (card.dtype, name_of(dtype)) == ("float32", BF16):
                files = halved(card.path, files)
            model = LanguageModel.from_files(config, files, dtype)
        else:
            from infinidoc.model import hugging_face

            with quiet():
                model = hugging_face.load(card.path, FAMILIES[config["model_type"]], dtype)
        vocabulary = Tokenizer.from_file(str(card.path / "tokenizer.json"))
        encode = build_encode_late(vocabulary)
    except KeyError as error:
        raise InfinidocError(
            f"{name} lacks weights, {error.args[0]} among them", "it isn't a whole language model"
        ) from error
    except Exception as error:  # a damaged file can fail anywhere
        raise InfinidocError(f"can't load {name} ({first_line(error)})", f"look at {card.path}") from error
    if vocabulary.get_vocab_size() > card.vocabulary:
        raise InfinidocError(f"the tokenizer of {name} has more tokens than the model", "they don't belong together")
    model.requires_grad_(False).eval().to(device)
    return BaseModel(name, card.path, identity, model, vocabulary, encode, _stops(card.path, config), device, dtype)


def _stops(path: Path, config: dict[str, Any]) -> tuple[int, ...]:
    file = path / "generation_config.json"
    found = (read_json(file) if file.is_file() else config).get("eos_token_id")
    return tuple(found) if isinstance(found, list) else () if found is None else (found,)
