"""What infinidoc aims at on a laptop, as ratios in one run, eight minutes on two cores: python -m benchmarks.aims

Every part is a process of its own, first with the instructions that this processor has, then with AVX2 alone
(`ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2`: forced, where the processor has more; its clock, caches and memory
stay what they are). What is compared takes turns within one process, every other round backwards, and a ratio is the
median over rounds. infinidoc computes in what was measured to be faster there (`infinidoc models show`); RAG has the
same reader, loaded once. Writes aims.json, aims.md and aims.png. Needs infinidoc[bench,rag].
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ingest.__main__ import PACKAGES, _version, machine, parse_length

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "examples" / "library"
ROOM = LIBRARY / "reading-room"
QUESTIONS = ROOT / "examples" / "questions.jsonl"
INSTRUCTIONS = {"all": {}, "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}}
# What is aimed at, and whether more of it is better.
AIMS: dict[str, tuple[str, float | None, bool]] = {
    "ingest_over_minilm": ("`ingest` / indexing with MiniLM, tokens/s", 1.5, True),
    "ingest_over_transformers": ("`ingest` / `transformers` 2K fp32, tokens/s", None, True),
    "ingest_of_bound": ("`ingest` / what the machine multiplies at most, of the layers that it needs", None, True),
    "memory_over_transformers": ("`ingest --memory` / `transformers` 2K fp32, tokens/s", 2, True),
    "memory_of_bound": (
        "`ingest --memory` / what the machine multiplies at most, of the layers that it needs",
        0.85,
        True,
    ),
    "question_over_rag": ("seconds a question, loaded / RAG hybrid with the same reader", 1, False),
    "questions_a_second": ("questions a second", None, True),
    "decoding_of_bandwidth": ("decoding / what reading the weights from memory allows", 0.5, True),
    "search_over_copy": ("exact search, bytes a second / a copy of them", None, True),
    "cold_first_word": ("seconds from Enter to the first word, nothing loaded", None, False),
}
PARTS = ("reading", "asking", "saying", "searching", "starting")

Row = dict[str, Any]


def in_turns(works: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name in list(works)[:: -1 if number % 2 else 1]:
            found[name].append(works[name]())
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def reading(options: argparse.Namespace, work: Path) -> Row:
    """Tokens a second of each, and as many as could be read if all of it were one product of large matrices: the maps
    of the layers that it needs, the scores of each token with those before it in its segment, and their values."""
    import torch

    from benchmarks.ingest.documents import write_corpus
    from benchmarks.ingest.systems import Ours, Rag, Transformers, tokeniser
    from infinidoc.model.attention import remembering

    encode = tokeniser()
    corpus = write_corpus(work / "corpus", options.tokens, encode)
    systems: dict[str, Any] = {
        "ingest": Ours(work / "ingest"),
        "memory": Ours(work / "memory", memory=True),
        "minilm": Rag(work / "minilm", "dense"),
        "transformers": Transformers(2_048, "fp32"),
    }
    copies = 0

    def speed(name: str) -> float:
        nonlocal copies
        copies += 1
        folder = shutil.copytree(corpus.folder, work / f"copy-{copies}")  # each is a collection of its own
        began = time.perf_counter()
        tokens: int = systems[name].read(folder)
        return tokens / (time.perf_counter() - began)

    for system in systems.values():
        system.start()
    ours = systems["ingest"].collection
    base = ours.load()
    square = torch.randn(2_048, 2_048).to(base.dtype)

    def products() -> float:
        return 2_048**3 / min(seconds(lambda: square @ square) for _ in range(3))

    works: dict[str, Callable[[], float]] = {name: lambda name=name: speed(name) for name in systems}  # type: ignore[misc]
    works["products"] = products
    in_turns(works, 1)  # warms up
    found = in_turns(works, options.rounds)
    layers, store = base.model.get_decoder().layers, ours.store
    segments = sum(len(store.segments(document.id)) for document in store.documents())
    seen = (store.counts()["tokens"] / segments + 1) / 2  # by a token, as if all segments were equally long
    attended = 2 * base.model.config.num_attention_heads * base.model.config.head_dim * seen
    whole = [attended + sum(p.numel() for p in layer.parameters()) for layer in layers]
    # Of the last layer that remembers keys and values are folded, and no more is needed.
    last = remembering(systems["memory"].collection.load(to_write=True).model)[-1]
    keys = sum(getattr(layers[last].self_attn, name).weight.numel() for name in ("k_proj", "v_proj"))
    needed = {"ingest": sum(whole[: ours.head.layer]), "memory": sum(whole[:last]) + keys}
    return {
        "precision": base.precision,
        "ingest_over_minilm": ratio(found["ingest"], found["minilm"]),
        "ingest_over_transformers": ratio(found["ingest"], found["transformers"]),
        "ingest_of_bound": ratio(found["ingest"], found["products"]) * needed["ingest"],
        "memory_over_transformers": ratio(found["memory"], found["transformers"]),
        "memory_of_bound": ratio(found["memory"], found["products"]) * needed["memory"],
        "multiplications_a_token": needed,
        "multiplications_a_second": statistics.median(found["products"]),
        "tokens_a_second": {name: statistics.median(found[name]) for name in systems},
    }


def asking(options: argparse.Namespace, work: Path) -> Row:
    """Answerable questions about some documents, each asked of both; whole answers."""
    from infinidoc.baselines.rag import Rag
    from infinidoc.memory.places import Place
    from infinidoc.reading.collection import Collection

    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines() if line.strip()]
    asked = [row["question"] for row in rows if row["answers"] and (LIBRARY / row["source"]).parent == ROOM]
    asked = asked[: options.questions]
    with Collection(Place("aims", work / "collection")) as collection:
        collection.ingest([ROOM])
        with Rag(work / "rag", collection.load(), "hybrid") as rag:
            rag.ingest([ROOM])
            works: dict[str, Callable[[str], object]] = {"ours": collection.ask, "rag": rag.ask}
            for ask in works.values():
                ask(asked[0])
            found: dict[str, list[float]] = {name: [] for name in works}
            for number, question in enumerate(asked):
                for name in list(works)[:: -1 if number % 2 else 1]:
                    found[name].append(seconds(lambda name=name, question=question: works[name](question)))  # type: ignore[misc]
    return {
        "question_over_rag": ratio(found["ours"], found["rag"]),
        "questions_a_second": len(asked) / sum(found["ours"]),
        "seconds_a_question": {name: statistics.median(values) for name, values in found.items()},
    }


def saying(options: argparse.Namespace, work: Path) -> Row:
    """See benchmarks/decoding.py."""
    from benchmarks.decoding import measure
    from infinidoc.memory.places import Place
    from infinidoc.reading.collection import Collection

    with Collection(Place("aims", work / "collection")) as collection:
        precision = collection.load().precision
    found = measure(None, precision, prompt=256, tokens=24, rounds=options.rounds)
    return {"decoding_of_bandwidth": found["of_reading"], "decoding": found}


def searching(options: argparse.Namespace, work: Path) -> Row:
    """See benchmarks/search.py."""
    import torch

    from benchmarks.search import run
    from infinidoc.memory.places import Place
    from infinidoc.reading.collection import Collection

    with Collection(Place("aims", work / "collection")) as collection:
        collection.ingest([ROOM])
        (found,) = run(collection, options.addresses, [torch.get_num_threads()], 5, index=False)["rows"]
    return {"search_over_copy": found["scanned_over_copied"]["scan"], "search": found}


def starting(options: argparse.Namespace, work: Path) -> Row:
    """From the start of the process until its first byte arrives, the model's file in the page cache."""
    command = [sys.executable, "-m", "infinidoc"]
    subprocess.run([*command, "ingest", str(ROOM)], cwd=work, check=True, capture_output=True)
    question = json.loads(QUESTIONS.read_text(encoding="utf-8").splitlines()[0])["question"]

    def first_byte() -> float:
        began = time.perf_counter()
        with subprocess.Popen(
            [*command, "ask", question], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as asked:
            assert asked.stdout is not None
            if not asked.stdout.read(1):
                raise SystemExit("benchmarks.aims: infinidoc ask said nothing")
            took = time.perf_counter() - began
            asked.stdout.read()
        return took

    first_byte()
    took = in_turns({"ours": first_byte}, options.rounds)["ours"]
    return {"cold_first_word": statistics.median(took), "cold_first_words": took}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.aims", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=parse_length, default=6_000, help="read by each system in each round")
    parser.add_argument("--addresses", type=parse_length, default=1_000_000, help="searched")
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--instructions", nargs="+", choices=[*INSTRUCTIONS], default=[*INSTRUCTIONS])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)  # in the process of a part
    options = parser.parse_args()
    if options.part:
        with tempfile.TemporaryDirectory() as work:
            print(json.dumps(globals()[options.part](options, Path(work))))
        return
    result: Row = {
        "benchmark": "aims",
        "command": f"python -m benchmarks.aims {' '.join(sys.argv[1:])}".strip(),
        "machine": machine(),
        "threads": options.threads,
        "versions": {name: _version(name) for name in PACKAGES},
        "instructions": {name: run(name, options) for name in options.instructions},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "aims.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (options.out / "aims.md").write_text(markdown(result), encoding="utf-8")
    draw(options.out / "aims.png", result)
    print(markdown(result))


def run(instructions: str, options: argparse.Namespace) -> Row:
    """All parts, and how long each of them took."""
    environment = {**os.environ, **INSTRUCTIONS[instructions], "PYTHONPATH": str(ROOT), "INFINIDOC_KEEP": "0"}
    environment["OMP_NUM_THREADS"] = str(options.threads)
    found: Row = {"seconds": {}}
    for part in options.parts:
        command = [sys.executable, "-m", "benchmarks.aims", "--part", part, "--tokens", str(options.tokens)]
        command += ["--addresses", str(options.addresses), "--questions", str(options.questions)]
        began = time.perf_counter()
        done = subprocess.run(
            [*command, "--rounds", str(options.rounds)], env=environment, cwd=ROOT, capture_output=True, text=True
        )
        found["seconds"][part] = round(time.perf_counter() - began, 1)
        if done.returncode:
            reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
            raise SystemExit(f"benchmarks.aims: {part} with {instructions} instructions: {reason}")
        found |= json.loads(done.stdout.splitlines()[-1])
        print(f"{instructions}: {part} in {found['seconds'][part]} s", file=sys.stderr, flush=True)
    return found


def markdown(result: Row) -> str:
    """The table, for people."""
    has, found = result["machine"], result["instructions"]
    forced = "avx512f" in has.get("instructions", [])
    columns = [{"all": "its own instructions", "AVX2": "AVX2, forced" if forced else "AVX2"}[name] for name in found]
    lines = ["# What is aimed at", "", f"`{result['command']}`", ""]
    lines.append(
        f"{has.get('processor', 'unknown processor')}, {has['cpus']} CPUs ({', '.join(has.get('instructions', []))}), "
        f"{result['threads']} threads; " + ", ".join(f"{k} {v}" for k, v in result["versions"].items() if v)
    )
    lines += ["", f"| | {' | '.join(columns)} | aim |", f"| --- |{' ---: |' * (len(columns) + 1)}"]
    lines.append(f"| infinidoc computes in | {' | '.join(row.get('precision', '') for row in found.values())} | |")
    for key, (what, aim, more) in AIMS.items():
        cells = [f"{row[key]:.2f}" if key in row else "not measured" for row in found.values()]
        wanted = "" if aim is None else f"{'≥' if more else '≤'} {aim:g}"
        lines.append(f"| {what} | {' | '.join(cells)} | {wanted} |")
    lines += ["", "What took turns with what, and how often: the first lines of `benchmarks/aims.py`."]
    return "\n".join(lines) + "\n"


def draw(file: Path, result: Row) -> None:
    """How near each aim is: 1 is there, longer is better."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    keys = [key for key, (_, aim, _) in AIMS.items() if aim is not None]
    names = list(result["instructions"])
    for number, name in enumerate(names):
        row, at = result["instructions"][name], []
        for key in keys:
            _, aim, more = AIMS[key]
            value = row.get(key)
            at.append(0.0 if value is None or aim is None else value / aim if more else aim / value)
        height = 0.8 / len(names)
        places = [place + number * height for place in range(len(keys))]
        label = "AVX2 alone" if name == "AVX2" else "all instructions"
        axes.bar_label(axes.barh(places, at, height, label=label), fmt="{:.2f}", padding=2, fontsize="small")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(
        [n + 0.4 - 0.4 / len(names) for n in range(len(keys))], [AIMS[key][0].replace("`", "") for key in keys]
    )
    axes.invert_yaxis()
    axes.set(title="over what is aimed at: 1 is there, more is better")
    axes.legend(fontsize="small")
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
