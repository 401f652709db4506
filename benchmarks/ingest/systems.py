"""The systems that are measured. Each runs in a process of its own, so that its peak memory is its own:

    python -m benchmarks.ingest.systems SYSTEM --documents FOLDER --work FOLDER …    # prints one line of JSON

infinidoc and RAG are timed from the files to what is on the disk in the end, the others from text to keys and values.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.ingest.log import Log, peak_bytes
from infinidoc.errors import InfinidocError
from infinidoc.model.catalogue import base_name, describe, ensure, quiet
from infinidoc.model.precision import dtype_of

ANSWER_TOKENS = 32
WARM_UP = "warm-up"  # a folder beside the documents


class System(Protocol):
    """Something that reads documents and answers questions about them."""

    def start(self) -> None:
        """Imports and loads everything."""

    def read(self, folder: Path) -> int:
        """Reads a folder of text files: what is timed. Returns the number of tokens read."""

    def kept(self) -> dict[str, float]:
        """Bytes kept of what was read: "constant", and "per_token"."""

    def ask(self, question: str) -> tuple[float, float] | None:
        """Seconds to the first token of an answer and to its last; None without an answer."""


@dataclass
class Ours:
    """infinidoc, from the files to the last commit: addresses and text, and with `memory` what is folded into it.

    A long ingest leaves a log on standard error."""

    work: Path
    memory: bool = False

    def start(self) -> None:
        from infinidoc.memory.places import Place
        from infinidoc.reading.collection import Collection

        self.collection = Collection(Place("bench", self.work / "warm"), memory=self.memory)
        self.collection.load()

    def read(self, folder: Path) -> int:
        from infinidoc.memory.places import Place

        self.collection.close()
        place = Place("bench", self.work / folder.name)
        self.collection.place, self.collection.directory = place, place.directory
        return self.collection.ingest([folder], notify=Log().notify).tokens

    def kept(self) -> dict[str, float]:
        counts = self.collection.store.counts()
        self.collection.close()  # writes what is in SQLite's log where it belongs
        sizes = {file.name: file.stat().st_size for file in self.collection.directory.iterdir()}
        constant = sum(size for name, size in sizes.items() if name.startswith(("state-", "address-head-")))
        return {
            "constant": constant,
            "per_token": (sum(sizes.values()) - constant) / counts["tokens"],
            "addresses_per_token": counts["address_bytes"] / counts["tokens"],
            "text_per_token": counts["text_bytes"] / counts["tokens"],
        }

    def ask(self, question: str) -> tuple[float, float] | None:
        answer = self.collection.ask(question, max_tokens=ANSWER_TOKENS)
        return (answer.timings["first_token"], answer.timings["total"]) if answer.answered else None


@dataclass
class Rag:
    """RAG, from the files to the last commit; `method` is bm25 or dense (all-MiniLM-L6-v2). Our reader answers."""

    work: Path
    method: Any

    def start(self) -> None:
        from infinidoc.model.loading import load

        self.base, _ = load()
        self.rag: Any = None
        self._open(self.work / "warm")

    def _open(self, directory: Path) -> None:
        from infinidoc.baselines.rag import Rag as Baseline

        embed = self.rag.embed if self.rag else None
        self.rag = Baseline(directory, self.base, self.method, embed)

    def read(self, folder: Path) -> int:
        self._open(self.work / folder.name)
        return self.rag.ingest([folder]).tokens

    def kept(self) -> dict[str, float]:
        return {"constant": 0, "per_token": self.rag.index.nbytes() / self.rag.index.counts()["tokens"]}

    def ask(self, question: str) -> tuple[float, float] | None:
        answer = self.rag.ask(question, max_tokens=ANSWER_TOKENS)
        return (answer.timings["first_token"], answer.timings["total"]) if answer.answered else None


@dataclass
class Transformers:
    """Full attention of `transformers` (SDPA) in windows of so many tokens, as `generate` fills its cache.

    It forgets a window when the next begins: it is asked about the last one.
    """

    window: int
    precision: str

    def start(self) -> None:
        from transformers import AutoModelForCausalLM

        self.encode = tokeniser()
        dtype = dtype_of(self.precision)
        path = ensure(base_name())
        with quiet():
            self.model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, attn_implementation="sdpa").eval()

    def read(self, folder: Path) -> int:
        read = 0
        for ids in windows(folder, self.encode, self.window):
            self.ids = ids  # the last window is asked about
            self.cache = None
            self._step(self.ids)
            read += len(self.ids)
        return read

    def _step(self, ids: list[int]) -> int:
        """The likeliest token after some more tokens."""
        import torch

        with torch.no_grad():
            found = self.model(torch.tensor([ids]), past_key_values=self.cache, use_cache=True, logits_to_keep=1)
        self.cache = found.past_key_values
        return int(found.logits[0, -1].argmax())

    def kept(self) -> dict[str, float]:
        size = sum(part.nbytes for layer in self.cache.layers for part in (layer.keys, layer.values))
        return {"constant": 0, "per_token": size / len(self.ids)}

    def ask(self, question: str) -> tuple[float, float] | None:
        began = time.perf_counter()
        token = self._step(self.encode(question))
        first = time.perf_counter() - began
        for _ in range(ANSWER_TOKENS - 1):
            token = self._step([token])
        total = time.perf_counter() - began
        self.cache.crop(len(self.ids) - self.cache.get_seq_length())  # a negative number: so many tokens less
        return first, total


@dataclass
class LlamaCpp:
    """llama.cpp's prompt processing in windows of so many tokens; `quantisation` as in a GGUF."""

    window: int
    quantisation: str
    threads: int
    work: Path

    def start(self) -> None:
        import xllamacpp

        from benchmarks.ingest.weights import gguf

        self.encode = tokeniser()
        settings = xllamacpp.CommonParams()
        settings.model.path = str(gguf(self.quantisation))
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = self.threads
        settings.n_ctx, settings.n_parallel = self.window + 256, 1
        settings.n_batch = self.window
        settings.cache_ram_mib = 0  # prompts of the past, kept to be asked again: none here will be
        settings.verbosity = -1
        self.server = xllamacpp.Server(settings)

    def read(self, folder: Path) -> int:
        read = 0
        for ids in windows(folder, self.encode, self.window):
            self.ids = ids  # the last window is asked about
            found = self._complete(self.ids, 1, lambda _: None, reuse=False)
            assert found["timings"]["prompt_n"] == len(self.ids), "llama.cpp has left a part of the prompt out"
            read += len(self.ids)
        return read

    def _complete(self, ids: list[int], tokens: int, on_token: Callable[[Any], None], reuse: bool) -> dict[str, Any]:
        """The last message of the server's stream; `on_token` gets them all."""
        messages: list[dict[str, Any]] = []

        def take(message: dict[str, Any]) -> None:
            messages.append(message)
            on_token(message)

        request = {"prompt": ids, "n_predict": tokens, "temperature": 0, "cache_prompt": reuse, "stream": True}
        self.server.handle_completions(request, take)
        if "error" in messages[-1]:
            raise InfinidocError(f"llama.cpp failed ({messages[-1]['error']})")
        return messages[-1]

    def kept(self) -> dict[str, float]:
        card = describe(base_name(), ensure(base_name()))
        # Not measured: what its default cache takes, keys and values of all layers in half precision.
        return {"constant": 0, "per_token": 2 * 2 * card.layers * card.kv_heads * card.head_dim}

    def ask(self, question: str) -> tuple[float, float] | None:
        times: list[float] = []
        began = time.perf_counter()
        asked = self.ids + self.encode(question)
        self._complete(asked, ANSWER_TOKENS, lambda _: times.append(time.perf_counter() - began), reuse=True)
        return times[0], times[-1]


def tokeniser() -> Callable[[str], list[int]]:
    """The base model's, without its weights."""
    from transformers import PreTrainedTokenizerFast

    from infinidoc.model.tokenizer import build_encode

    with quiet():
        return build_encode(PreTrainedTokenizerFast.from_pretrained(ensure(base_name())).backend_tokenizer)


def windows(folder: Path, encode: Callable[[str], list[int]], size: int) -> Iterator[list[int]]:
    """The text of all files, in windows of so many tokens; what doesn't fill one is left out, unless it is all there
    is."""
    text = "\n\n".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.txt")))
    ids = encode(text)
    for start in range(0, max(1, len(ids) - size + 1), size):
        yield ids[start : start + size]


def system(name: str, work: Path, threads: int) -> System:
    """By its name: infinidoc_PRECISION, infinidoc_PRECISION_no_memory, transformers_2k_PRECISION,
    llama_cpp_QUANTISATION, rag_METHOD."""
    match name.split("_"):
        case ["infinidoc", precision, *rest]:
            os.environ["INFINIDOC_PRECISION"] = precision
            return Ours(work, memory=not rest)
        case ["transformers", window, precision]:
            return Transformers(int(window.removesuffix("k")) * 1_024, precision)
        case ["llama", "cpp", *quantisation]:
            return LlamaCpp(2_048, "_".join(quantisation), threads, work)
        case ["rag", method]:
            return Rag(work, {"minilm": "dense"}.get(method, method))
    raise InfinidocError(f"no system {name}")


def measure(system: System, documents: Path, questions: list[str], spawned: float) -> dict[str, Any]:
    """`spawned` is when the process was started, in seconds since the epoch."""
    system.start()
    started = time.time() - spawned
    system.read(documents / WARM_UP)
    warmed = time.time() - spawned
    began = time.perf_counter()
    tokens = system.read(documents / "documents")
    seconds = time.perf_counter() - began
    peak = peak_bytes()
    asked = [times for question in questions if (times := system.ask(question))]
    first, total = zip(*asked, strict=True) if asked else ((), ())
    return {
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "peak_bytes": peak,
        "kept": system.kept(),
        "start_seconds": started,
        "warm_up_seconds": warmed - started,
        "answered": len(asked),
        "first_token_seconds": statistics.median(first) if first else None,
        "answer_seconds": statistics.median(total) if total else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("system")
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--spawned", type=float, required=True)
    parser.add_argument("--questions", type=json.loads, default=[])
    options = parser.parse_args()
    try:
        made = system(options.system, options.work, options.threads)
        print(json.dumps(measure(made, options.documents, options.questions, options.spawned)))
    except ImportError as error:
        raise SystemExit(f"{error.name} isn't installed: pip install 'infinidoc[bench,rag]'") from None
    except InfinidocError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
