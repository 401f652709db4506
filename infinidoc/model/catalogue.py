"""Base models by name: where they are, how they are fetched, and what is known of them without loading any.

A base model is named by the name of an embedded one (`smollm2-135m-instruct` is the default), a directory, or a
Hugging Face id (`org/name`).
"""

import errno
import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infinidoc.errors import InfinidocError
from infinidoc.files import tensor_header, write_json
from infinidoc.home import home
from infinidoc.model.embedded import DEFAULT, EMBEDDED, Progress, nothing, pull

# `model_type` in a config.json → what loads it. These are the ones that the tests attach a memory to.
FAMILIES = {
    "gemma3_text": "Gemma3ForCausalLM",
    "granite": "GraniteForCausalLM",
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "olmo2": "Olmo2ForCausalLM",
    "phi3": "Phi3ForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "smollm3": "SmolLM3ForCausalLM",
}
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
HUB_SECONDS = 5
DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "LICENSE*"]


@dataclass(frozen=True)
class Card:
    """What is known of a model without loading it. `size` is in bytes, `context` in tokens."""

    name: str
    path: Path
    family: str
    parameters: int
    dtype: str
    size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context: int


def base_name(name: str | None = None, read_with: str | None = None) -> str:
    """The name itself, or what something was `read_with`, unless that directory has gone; else `INFINIDOC_MODEL`, or
    the embedded default."""
    if read_with and (not os.path.isabs(read_with) or os.path.isdir(read_with)):
        name = name or read_with
    return name or os.environ.get("INFINIDOC_MODEL") or read_with or DEFAULT


def find(name: str | None = None) -> Path | None:
    """The directory of a model that is on this machine, without looking at the network.

    Raises InfinidocError for a name that can't be a model's.
    """
    name = base_name(name)
    if name in EMBEDDED:
        return EMBEDDED[name].folder if EMBEDDED[name].folder.is_dir() else None
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if not HUB_ID.fullmatch(name):
        raise InfinidocError(
            f"no model {name}", f"give a directory, a hub id such as org/name, or one of {', '.join(EMBEDDED)}"
        )
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    if not isinstance(config, str):
        return None
    snapshot = Path(config).parent
    try:
        weight_files(snapshot)
    except InfinidocError:  # a download that broke off; another goes on from there
        return None
    return snapshot if (snapshot / "tokenizer.json").is_file() else None


def ensure(name: str | None = None, progress: Progress = nothing) -> Path:
    """The directory of a model, fetched first if it isn't on this machine.

    Raises InfinidocError if it can't be had: no network, no such model, no disk space.
    """
    name = base_name(name)
    found = find(name)
    if found is not None:
        return found
    return pull(EMBEDDED[name], progress) if name in EMBEDDED else _pull_from_hub(name, progress)


def _pull_from_hub(name: str, progress: Progress) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import OfflineModeIsEnabled, RepositoryNotFoundError

    progress("look up", 0, 0)
    try:
        with quiet():
            # Asked first because it has a time limit: a download goes on trying for minutes.
            HfApi().model_info(name, timeout=HUB_SECONDS)
            progress("download", 0, 0)
            return Path(snapshot_download(name, allow_patterns=HUB_FILES, ignore_patterns="*/*"))
    except OfflineModeIsEnabled as error:
        raise InfinidocError(f"{name} isn't on this machine", "unset HF_HUB_OFFLINE to fetch it") from error
    except RepositoryNotFoundError as error:  # a gated one is a kind of this
        raise InfinidocError(f"the model hub has no {name} for you", "check the name, or set HF_TOKEN") from error
    except Exception as error:  # the errors of whichever HTTP library huggingface_hub has
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise InfinidocError(
                f"no disk space left for {name}", "free some, or set HF_HOME to a larger disk"
            ) from error
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise InfinidocError(
            f"can't get {name} from the model hub ({first_line(cause)})", "check the network, or give a directory"
        ) from error


def weight_files(path: Path) -> list[Path]:
    """The safetensors of a model. Raises InfinidocError if some are missing."""
    index = path / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.is_file():
        try:
            names = sorted(set(read_json(index)["weight_map"].values()))
        except (KeyError, AttributeError) as error:
            raise _damaged(index, error) from error
    for name in names:
        if not (path / name).is_file():
            raise InfinidocError(f"no {name} in {path}", "infinidoc reads weights from safetensors only")
    return [path / name for name in names]


def describe(name: str, path: Path) -> Card:
    """Read a model's config and the headers of its weights.

    Raises InfinidocError for a directory that isn't a decoder infinidoc can use, or is damaged.
    """
    for needed in ("config.json", "tokenizer.json"):
        if not (path / needed).is_file():
            raise InfinidocError(f"no {needed} in {path}", "give the directory of a model saved by transformers")
    config = read_json(path / "config.json")
    family = str(config.get("model_type"))
    if family not in FAMILIES:
        raise InfinidocError(f"{name} is of the family {family}", f"infinidoc knows {', '.join(FAMILIES)}")
    parameters, dtypes = 0, set()
    for file in weight_files(path):
        try:
            tensors, _ = tensor_header(file)
        except (ValueError, OSError) as error:
            raise _damaged(file, error) from error
        parameters += sum(math.prod(tensor["shape"]) for tensor in tensors.values())
        dtypes |= {tensor["dtype"] for tensor in tensors.values()}
    try:
        heads = config["num_attention_heads"]
        return Card(
            name=name,
            path=path,
            family=family.removesuffix("_text"),
            parameters=parameters,
            dtype=" and ".join(sorted(DTYPES.get(dtype, dtype) for dtype in dtypes)),
            size=sum(file.stat().st_size for file in path.iterdir() if file.is_file()),
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or config["hidden_size"] // heads,
            vocabulary=config["vocab_size"],
            context=config["max_position_embeddings"],
        )
    except (KeyError, TypeError) as error:
        raise _damaged(path / "config.json", error) from error


def on_this_machine() -> list[Card]:
    """The models that need no network: the embedded ones, that of `INFINIDOC_MODEL`, those in the hub's cache."""
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    names = [*EMBEDDED, base_name()]
    with suppress(CacheNotFound):
        names += sorted(
            repo.repo_id for repo in scan_cache_dir(constants.HF_HUB_CACHE).repos if repo.repo_type == "model"
        )
    cards = []
    for name in dict.fromkeys(names):
        try:
            path = find(name)
            if path is not None:
                cards.append(describe(name, path))
        except InfinidocError:  # other programs keep other models there
            continue
    return cards


def base_digest(name: str | None = None) -> str:
    """The SHA-256 (hex) of a model on this machine: its weights, config and vocabulary, whatever loads it.

    Raises InfinidocError if the model isn't there.
    """
    path = find(name)
    if path is None:
        raise InfinidocError(f"{base_name(name)} isn't on this machine", f"infinidoc models pull {base_name(name)}")
    return digest(path)


def digest(path: Path) -> str:
    """The SHA-256 (hex) of a model's directory.

    Hashing takes a second per gigabyte, so the hashes of files are remembered as long as size and time stay the same.
    """
    memo = home() / "models" / "digests.json"
    known: dict[str, list[Any]] = {}
    with suppress(OSError, ValueError):
        known = dict(json.loads(memo.read_text()) or {})
    total, fresh = hashlib.sha256(), dict(known)
    for file in [path / "config.json", path / "tokenizer.json", *weight_files(path)]:
        status, key = file.stat(), str(file.resolve())
        stamp = [status.st_size, status.st_mtime_ns]
        if fresh.get(key, [])[:2] != stamp:
            with file.open("rb") as content:
                fresh[key] = [*stamp, hashlib.file_digest(content, "sha256").hexdigest()]
        total.update(f"{file.name} {fresh[key][2]}\n".encode())
    if fresh != known:
        _remember(memo, {key: value for key, value in fresh.items() if Path(key).exists()})
    return total.hexdigest()


def _remember(memo: Path, content: dict[str, Any]) -> None:
    """A memo that can't be written costs time, and nothing else."""
    with suppress(InfinidocError):
        write_json(memo, content)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the warnings and progress bars of transformers and huggingface_hub off the terminal."""
    import warnings

    from huggingface_hub.utils import are_progress_bars_disabled
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    was, hub_was, bars = logging.get_verbosity(), hub_logging.get_verbosity(), not are_progress_bars_disabled()
    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    logging.disable_progress_bar()  # huggingface_hub's go with them
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(was)
        hub_logging.set_verbosity(hub_was)
        if bars:
            logging.enable_progress_bar()


def read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(file, error) from error
    if not isinstance(content, dict):
        raise _damaged(file, TypeError("not an object"))
    return content


def _damaged(file: Path, error: Exception) -> InfinidocError:
    return InfinidocError(f"{file} is damaged ({first_line(error)})", "remove the model and fetch it again")


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
