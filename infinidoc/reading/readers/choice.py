"""Which reader answers: by name, and the one that people chose to keep."""

import json

from infinidoc import files
from infinidoc.errors import InfinidocError
from infinidoc.home import home
from infinidoc.reading.readers.endpoint import Endpoint, is_endpoint
from infinidoc.reading.readers.reader import Reader

OWN = "own"  # the model that the collection was read with


def chosen() -> str:
    """What `use` was told, else "own"."""
    try:
        name = json.loads((home() / "reader.json").read_text(encoding="utf-8"))["reader"]
    except (OSError, ValueError, KeyError, TypeError):
        return OWN
    return name if isinstance(name, str) else OWN


def use(name: str) -> None:
    """Makes a reader the one that `infinidoc ask` and `chat` ask from now on."""
    files.write_json(home() / "reader.json", {"reader": name})


def check(name: str) -> None:
    """Raises InfinidocError for what can't be a reader's name."""
    from infinidoc.model.catalogue import find

    if is_endpoint(name):
        Endpoint(name)
    elif name != OWN:
        try:
            find(name)
        except InfinidocError as error:
            raise InfinidocError(
                f"no reader {name}", f"{OWN}, a base model, or an address such as http://localhost:11434/v1#qwen3:8b"
            ) from error


def open_reader(name: str) -> Reader:
    """A reader other than a collection's own. Raises InfinidocError if it can't be had."""
    check(name)
    if is_endpoint(name):
        return Endpoint(name)
    from infinidoc.reading.readers.local import load_reader

    return load_reader(name)
