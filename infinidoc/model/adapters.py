"""Adapters: what training adds to a frozen base model, as safetensors with a model card beside them.

An adapter is a directory of up to five files. `adapter.safetensors` holds what a collection is read with: gates and
LoRA factors of the compressive memory. `head.safetensors` holds the address head that new collections take; each keeps
a copy of it, so a new head changes no collection. `reader.safetensors` holds the LoRA factors of a reader, which are
merged to answer and are not there when documents are read, `slots.safetensors` what is trained for memories with slots,
which is there for those alone. A collection depends on the first file alone. (That one may hold a head too, as older
ones do: it counts where there is no other.) Their metadata say which base model they were trained on; on any other they
are refused. `memory.json` may say which is the last layer whose memory is worth having: those above it are neither
summed nor read. It stands by itself so that collections read before go on. The package ships some adapters; those that
a user trains or is given are in `INFINIDOC_HOME/adapters`.
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

FILE, HEAD_FILE, READER_FILE = "adapter.safetensors", "head.safetensors", "reader.safetensors"
SLOTS_FILE, MEMORY_FILE, CARD = "slots.safetensors", "memory.json", "README.md"
FORMAT = "1"
NONE = "none"
DEFAULT_KERNEL = "least_squares"  # where no adapter names one
ADDRESS_HEAD, READER, MEMORY, SLOTS = "address-head", "reader", "memory", "slots"  # the parts that an adapter may have
HEAD = "address_head."
LORA_DOWN, LORA_UP = ".lora_down", ".lora_up"


@dataclass(frozen=True)
class AdapterCard:
    """What is known of an adapter without loading it. `size` in bytes; `parts` of address-head, reader, memory,
    slots."""

    name: str
    path: Path
    model: str
    model_digest: str
    kernel: str
    first_layer: int
    parts: list[str]
    size: int
    shipped: bool
    reader_layer: int | None = None  # the lowest that its reader changes; None: it has no reader of its own
    last_layer: int | None = None  # that has a memory; None: the model's last

    @property
    def reference(self) -> str:
        """What finds it again: its name, or the path of a directory elsewhere."""
        return self.name if self.path.parent in places() else str(self.path.absolute())

    @property
    def files(self) -> list[Path]:
        """Those with tensors that there are."""
        return _files(self.path)

    @property
    def readme(self) -> str:
        card = self.path / CARD
        return card.read_text(encoding="utf-8") if card.is_file() else ""


@dataclass(frozen=True)
class Adapter:
    """What a collection is read with. `digest` is the SHA-256 of its memory's file, and empty without one; neither the
    head, which a collection keeps, nor a reader is part of it."""

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
        for directory in sorted(path for path in place.glob("*") if _files(path)):
            found.setdefault(directory.name, describe(directory))
    return list(found.values())


def _files(directory: Path) -> list[Path]:
    names = (FILE, HEAD_FILE, READER_FILE, SLOTS_FILE)
    return [directory / name for name in names if (directory / name).is_file()]


def find(name: str) -> AdapterCard:
    """An adapter by its name, or by the path of its directory. Raises InfinidocError if there is none."""
    for directory in [place / name for place in places() if Path(name).name == name] + [Path(name).expanduser()]:
        if _files(directory):
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
    """Reads an adapter's metadata. Raises InfinidocError if there is none, or its files are of different models."""
    files = _files(directory)
    if not files:
        raise InfinidocError(
            f"no adapter in {directory}", f"one has {FILE}, {HEAD_FILE}, {READER_FILE} or {SLOTS_FILE}"
        )
    described = [_metadata(file) for file in files]
    try:
        if len({metadata["model_digest"] for metadata in described}) > 1:
            raise InfinidocError(f"the files in {directory} were trained on different models", "take one of them away")
        reading = next((one for one, file in zip(described, files, strict=True) if file.name == READER_FILE), None)
        return AdapterCard(
            name=directory.name,
            path=directory,
            model=described[0]["model"],
            model_digest=described[0]["model_digest"],
            kernel=described[0].get("kernel", DEFAULT_KERNEL),
            first_layer=int(described[0]["first_layer"]),
            parts=list(dict.fromkeys(part for metadata in described for part in metadata["parts"].split())),
            size=sum(file.stat().st_size for file in files),
            shipped=directory.parent == shipped(),
            reader_layer=int(reading["first_layer"]) if reading else None,
            last_layer=_last_layer(directory / MEMORY_FILE, int(described[0]["first_layer"])),
        )
    except (KeyError, ValueError) as error:
        raise InfinidocError(f"{files[0]} is not an adapter: its metadata lack {error}") from error


def _last_layer(file: Path, first: int) -> int | None:
    if not file.is_file():
        return None
    try:
        last = int(json.loads(file.read_text(encoding="utf-8"))["last_layer"])
        if last < first:
            raise ValueError(f"{last} is below its first layer, {first}")
        return last
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InfinidocError(f'{file} is not {{"last_layer": NUMBER}}: {error}', "mend it, or take it away") from error


def _metadata(file: Path) -> dict[str, str]:
    try:
        _, metadata = tensor_header(file)
    except (OSError, ValueError) as error:
        raise InfinidocError(f"{file} can't be read: {error}", "get the adapter anew, or train it again") from error
    if metadata.get("format") != FORMAT:
        raise InfinidocError(f"{file} is not an adapter that this infinidoc knows", "a newer infinidoc may")
    return metadata


def digest(card: AdapterCard, name: str = FILE) -> str:
    """The SHA-256 of one of its files, by default of what a collection depends on; empty if it has none."""
    file = card.path / name
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def load(card: AdapterCard) -> Adapter:
    """What collections are read with; neither the reader nor what slots have."""
    from safetensors.torch import load_file

    tensors: dict[str, Tensor] = {}
    for file in card.files:
        if file.name in (FILE, HEAD_FILE):
            tensors |= load_file(file)
    return Adapter(card, digest(card), tensors)


def save(directory: Path, tensors: "dict[str, Tensor]", metadata: dict[str, Any], file: str = FILE) -> AdapterCard:
    """Writes one file of an adapter; `metadata` needs model, model_digest, first_layer and parts, and, but for a
    reader's, kernel."""
    from safetensors.torch import save_file

    plain = {key: str(value) for key, value in {**metadata, "format": FORMAT}.items()}
    with replacing(directory / file) as temporary:
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
    from infinidoc.model.attention import attach

    card = adapter.card
    _fits(base, card)
    attach(base.model, card.kernel, card.first_layer, card.last_layer)
    base.model.config.infini_parts, base.model.config.infini_merged = card.parts, adapter.digest
    _put_in(base, adapter.tensors)


def attach_reader(base: "BaseModel", card: AdapterCard) -> None:
    """Merges an adapter's reader into the loaded weights. Nothing is behind its window: gates stay closed.

    Raises InfinidocError if it was trained on another base model, or changes layers that addresses come from.
    """
    from safetensors.torch import load_file

    from infinidoc.model.addresses import address_layer
    from infinidoc.model.attention import attach

    _fits(base, card)
    if card.reader_layer is None or card.reader_layer < address_layer(base.model):
        raise InfinidocError(
            f"the reader in {card.path} changes layers that addresses come from",
            f"train one from layer {address_layer(base.model)} on",
        )
    attach(base.model)
    file = card.path / READER_FILE
    base.model.config.infini_reads = True
    base.model.config.infini_merged = hashlib.sha256(file.read_bytes()).hexdigest()
    _put_in(base, load_file(file))


def attach_slots(base: "BaseModel", card: AdapterCard) -> None:
    """Adds what an adapter has for memories with slots to a model that infini-attention is attached to.

    Raises InfinidocError if it was trained on another base model.
    """
    from safetensors.torch import load_file

    _fits(base, card)
    merged = getattr(base.model.config, "infini_merged", "")
    base.model.config.infini_merged = " ".join(filter(None, [merged, digest(card, SLOTS_FILE)]))
    _put_in(base, load_file(card.path / SLOTS_FILE))


def _fits(base: "BaseModel", card: AdapterCard) -> None:
    if card.model_digest != base.digest:
        raise InfinidocError(
            f"the adapter {card.name} was trained on {card.model} ({card.model_digest[:12]}), "
            f"not on {base.name} ({base.digest[:12]})",
            "choose one that fits (infinidoc adapters list), or none (--adapter none)",
        )


def _put_in(base: "BaseModel", tensors: "dict[str, Tensor]") -> None:
    """Merges LoRA factors into the weights, and sets gates; an address head stays out."""
    import torch

    from infinidoc.model.attention import attention_modules
    from infinidoc.model.lora import merge

    modules = attention_modules(base.model)
    for name, tensor in tensors.items():
        if name.endswith(LORA_DOWN):
            target = name.removesuffix(LORA_DOWN)
            merge(base.model, target, tensor, tensors[target + LORA_UP])
        elif ".infini." in name:
            layer, parameter = name.removeprefix("layers.").split(".infini.")
            with torch.no_grad():
                getattr(modules[int(layer)].infini, parameter).copy_(tensor)
