"""Adapters: what training adds to a frozen base model, in one safetensors file with its model card beside it.

An adapter is a directory: `adapter.safetensors` and `README.md`. Its metadata say which base model it was trained on;
on any other it is refused. The package ships one for the embedded model; those that a user trains or is given are in
`INFINIDOC_HOME/adapters`.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infinidoc.errors import InfinidocError
from infinidoc.files import replacing, tensor_header, write_json
from infinidoc.home import home

if TYPE_CHECKING:  # torch takes seconds to import
    from torch import Tensor

    from infinidoc.model.addresses import AddressHead
    from infinidoc.model.base import BaseModel

FILE, CARD = "adapter.safetensors", "README.md"
FORMAT = "1"
NONE = "none"
ADDRESS_HEAD, READER, MEMORY = "address-head", "reader", "memory"  # the parts that an adapter may have
HEAD = "address_head."
LORA_DOWN, LORA_UP = ".lora_down", ".lora_up"


@dataclass(frozen=True)
class AdapterCard:
    """What is known of an adapter without loading it. `size` in bytes; `parts` of address-head, reader, memory."""

    name: str
    path: Path
    model: str
    model_digest: str
    kernel: str
    first_layer: int
    parts: list[str]
    size: int
    shipped: bool

    @property
    def reference(self) -> str:
        """What finds it again: its name, or the path of a directory elsewhere."""
        return self.name if self.path.parent in places() else str(self.path.absolute())

    @property
    def readme(self) -> str:
        card = self.path / CARD
        return card.read_text(encoding="utf-8") if card.is_file() else ""


@dataclass(frozen=True)
class Adapter:
    """An adapter's tensors. `digest` is the SHA-256 of its file."""

    card: AdapterCard
    digest: str
    tensors: "dict[str, Tensor]"

    def head(self) -> "AddressHead | None":
        """Its address head, or None if that part wasn't trained."""
        from infinidoc.model.addresses import AddressHead

        found = {name.removeprefix(HEAD): t for name, t in self.tensors.items() if name.startswith(HEAD)}
        return AddressHead.from_tensors(found) if found else None


def shipped() -> Path:
    """The adapters that come with the package."""
    return Path(str(files("infinidoc"))) / "adapters"


def places() -> list[Path]:
    return [home() / "adapters", shipped()]


def available() -> list[AdapterCard]:
    """Every adapter on this machine, the user's own first."""
    found: dict[str, AdapterCard] = {}
    for place in places():
        for file in sorted(place.glob(f"*/{FILE}")):
            found.setdefault(file.parent.name, describe(file.parent))
    return list(found.values())


def find(name: str) -> AdapterCard:
    """An adapter by its name, or by the path of its directory. Raises InfinidocError if there is none."""
    for directory in [place / name for place in places() if Path(name).name == name] + [Path(name).expanduser()]:
        if (directory / FILE).is_file():
            return describe(directory)
    raise InfinidocError(f"no adapter {name}", "see: infinidoc adapters list")


def default_for(model_digest: str) -> AdapterCard | None:
    """The adapter that a new collection uses: `INFINIDOC_ADAPTER`, else what `infinidoc adapters use` chose for this
    base model, else the one that the package ships for it; None where there is none, or "none" was chosen."""
    chosen = os.environ.get("INFINIDOC_ADAPTER") or choices().get(model_digest)
    if chosen == NONE:
        return None
    if chosen:
        return find(chosen)
    return next((card for card in available() if card.shipped and card.model_digest == model_digest), None)


def choices() -> dict[str, str]:
    """What `use` was told: a base model's digest to the adapter's name."""
    file = home() / "adapters" / "chosen.json"
    try:
        chosen = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return chosen if isinstance(chosen, dict) else {}


def use(model_digest: str, name: str) -> None:
    """Makes an adapter (or "none") the one that new collections of a base model use."""
    file = home() / "adapters" / "chosen.json"
    write_json(file, {**choices(), model_digest: name})


def describe(directory: Path) -> AdapterCard:
    """Reads an adapter's metadata. Raises InfinidocError if the file is none."""
    metadata = _metadata(directory / FILE)
    try:
        return AdapterCard(
            name=directory.name,
            path=directory,
            model=metadata["model"],
            model_digest=metadata["model_digest"],
            kernel=metadata["kernel"],
            first_layer=int(metadata["first_layer"]),
            parts=metadata["parts"].split(),
            size=(directory / FILE).stat().st_size,
            shipped=directory.parent == shipped(),
        )
    except (KeyError, ValueError) as error:
        raise InfinidocError(f"{directory / FILE} is not an adapter: its metadata lack {error}") from error


def _metadata(file: Path) -> dict[str, str]:
    try:
        _, metadata = tensor_header(file)
    except (OSError, ValueError) as error:
        raise InfinidocError(f"{file} can't be read: {error}", "get the adapter anew, or train it again") from error
    if metadata.get("format") != FORMAT:
        raise InfinidocError(f"{file} is not an adapter that this infinidoc knows", "a newer infinidoc may")
    return metadata


def digest(card: AdapterCard) -> str:
    """The SHA-256 of an adapter's file."""
    return hashlib.sha256((card.path / FILE).read_bytes()).hexdigest()


def load(card: AdapterCard) -> Adapter:
    from safetensors.torch import load_file

    return Adapter(card, digest(card), load_file(card.path / FILE))


def save(directory: Path, tensors: "dict[str, Tensor]", metadata: dict[str, Any]) -> AdapterCard:
    """Writes an adapter; `metadata` needs model, model_digest, kernel, first_layer and parts."""
    from safetensors.torch import save_file

    plain = {key: str(value) for key, value in {**metadata, "format": FORMAT}.items()}
    with replacing(directory / FILE) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary, plain)
    return describe(directory)


def choose(model_digest: str, name: str | None = None) -> AdapterCard | None:
    """The adapter of that name, or the one that a new collection of this base model uses; "none" is None.

    Raises InfinidocError if there is none of that name.
    """
    if name is None:
        return default_for(model_digest)
    return None if name == NONE else find(name)


def attach_adapter(base: "BaseModel", adapter: Adapter) -> None:
    """Attaches infini-attention with an adapter's gates, and merges its LoRA factors into the loaded weights.

    Raises InfinidocError if the adapter was trained on another base model.
    """
    import torch

    from infinidoc.model.attention import attach, attention_modules
    from infinidoc.model.lora import merge

    card = adapter.card
    if card.model_digest != base.digest:
        raise InfinidocError(
            f"the adapter {card.name} was trained on {card.model} ({card.model_digest[:12]}), "
            f"not on {base.name} ({base.digest[:12]})",
            "choose one that fits (infinidoc adapters list), or none (--adapter none)",
        )
    attach(base.model, card.kernel, card.first_layer)
    base.model.config.infini_parts = card.parts
    modules = attention_modules(base.model)
    for name, tensor in adapter.tensors.items():
        if name.endswith(LORA_DOWN):
            target = name.removesuffix(LORA_DOWN)
            merge(base.model, target, tensor, adapter.tensors[target + LORA_UP])
        elif ".infini." in name:
            layer, parameter = name.removeprefix("layers.").split(".infini.")
            with torch.no_grad():
                getattr(modules[int(layer)].infini, parameter).copy_(tensor)
