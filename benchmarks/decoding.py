"""How fast a model says a token, against what reading its weights from memory allows, and against `generate()`: the one
that answers, with the reader of its adapter, where it has one.

    python benchmarks/decoding.py                       # the default model, fp32 and bf16
    python benchmarks/decoding.py --model qwen2.5-coder-0.5b-instruct --precision bf16 --json

Every token needs every weight once (of the embedding one row, unless it is the head as well), so bytes of weights times
tokens a second can't exceed what the memory gives. That is measured as the sum of 256 MB, which reads, and as a copy,
which reads and writes as much. A prompt is compared with the rate of one large matrix product. All of it is measured in
turns, and the best of each counts: what else the machine does only takes away. On one thread it is seconds of the
processor, which other processes don't change much.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.decoding import generate
from infinidoc.model.loading import load
from infinidoc.model.precision import FP32

TEXT = "The reading room opens at ten on Saturdays and closes at six, but not in August, when nobody comes. "


def seconds(act: Callable[[], Any]) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    began = clock()
    act()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - began


def measure(name: str | None, precision: str, prompt: int, tokens: int, rounds: int) -> dict[str, float]:
    base, _ = load(name, precision=precision, to_read=True)
    base = type(base)(**{**vars(base), "stops": ()})  # so that it says as many as it may
    theirs = AutoModelForCausalLM.from_pretrained(base.path, dtype=base.dtype).to(base.device)
    theirs.load_state_dict(base.model.state_dict(), strict=False)  # the reader's
    ids = torch.tensor([[*base.start, *base.encode(TEXT * prompt)][:prompt]], device=base.device)
    options = {"attention_mask": torch.ones_like(ids), "do_sample": False, "eos_token_id": None, "pad_token_id": 0}

    def ours(count: int) -> list[int]:
        return generate(base, ids, CompressiveMemory(base.model).read_only(), count)[0]

    def generated(count: int) -> list[int]:
        return theirs.generate(ids, max_new_tokens=count, **options)[0, prompt:].tolist()

    block, other = (torch.ones(64 << 20, device=base.device) for _ in range(2))
    square = torch.randn(2_048, 2_048).to(base.device, base.dtype)
    acts = {
        "read": block.sum,
        "copy": lambda: other.copy_(block),
        "product": lambda: square @ square,
        "first": lambda: ours(1),
        "ours": lambda: ours(1 + tokens),
        "first_generate": lambda: generated(1),
        "generate": lambda: generated(1 + tokens),
    }
    same = ours(tokens) == generated(tokens)
    best = dict.fromkeys(acts, float("inf"))
    for _ in range(rounds):
        for what, act in acts.items():
            best[what] = min(best[what], seconds(act))
    weights = sum(p.nbytes for p in theirs.parameters())
    maps = sum(p.numel() for layer in base.model.get_decoder().layers for p in layer.parameters())
    if not base.model.config.tie_word_embeddings:
        weights -= base.model.get_decoder().embed_tokens.weight.nbytes
    token = (best["ours"] - best["first"]) / tokens
    theirs_token = (best["generate"] - best["first_generate"]) / tokens
    reading, copying = block.nbytes / best["read"], 2 * block.nbytes / best["copy"]
    return {
        "milliseconds_a_token": token * 1e3,
        "milliseconds_a_token_generate": theirs_token * 1e3,
        "of_reading": weights / token / reading,
        "of_copying": weights / token / copying,
        "of_reading_generate": weights / theirs_token / reading,
        "gigabytes_a_second_read": reading / 1e9,
        "gigabytes_a_second_copied": copying / 1e9,
        "milliseconds_prompt": best["first"] * 1e3,
        "milliseconds_prompt_generate": best["first_generate"] * 1e3,
        "prompt_of_products": 2 * maps * prompt / best["first"] / (2 * 2_048**3 / best["product"]),
        "same_tokens": same,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="default: the embedded one")
    parser.add_argument("--precision", nargs="+", default=[FP32, "bf16"])
    parser.add_argument("--prompt", type=int, default=512, help="tokens")
    parser.add_argument("--tokens", type=int, default=24, help="to be said after the first")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    results = {
        precision: measure(arguments.model, precision, arguments.prompt, arguments.tokens, arguments.rounds)
        for precision in arguments.precision
    }
    if arguments.json:
        print(json.dumps({"threads": arguments.threads, **results}))
        return
    for precision, result in results.items():
        print(f"{precision}, {arguments.threads} threads")
        for what, value in result.items():
            print(f"  {what.replace('_', ' '):32} {value:8.2f}")


if __name__ == "__main__":
    main()
