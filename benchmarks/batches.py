"""What it would win to put prompts through a model side by side: to read them, and to go on from them.

    python benchmarks/batches.py              # the default model with its reader, bf16, one thread

Milliseconds of the processor, a row: the best of three, in turns.
"""

import argparse
import time

import torch

from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.decoding import go_on, read
from infinidoc.model.loading import load
from infinidoc.model.precision import BF16

ROWS, LENGTHS, SAID, ROUNDS = (1, 2, 4, 8), (200, 700), 6, 3


def measure(base: BaseModel, rows: int, length: int) -> tuple[float, float]:
    """Milliseconds of reading `length` tokens, and of saying one more, of each of so many rows."""
    ids = torch.randint(100, 20_000, (rows, length), generator=torch.Generator().manual_seed(0))
    memory = CompressiveMemory(base.model).read_only()
    began = time.process_time()
    token = read(base, ids, memory).argmax(-1)
    has_read = time.process_time()
    go_on(base, token, memory, SAID + 1, [-1])
    return (has_read - began) * 1e3 / rows, (time.process_time() - has_read) * 1e3 / rows / SAID


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="default: the embedded one")
    parser.add_argument("--precision", default=BF16)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    base = load(arguments.model, to_read=True, precision=arguments.precision)[0]
    print(f"{'tokens':>6} {'rows':>6} {'to read':>10} {'to say one':>12}")
    for length in LENGTHS:
        found: dict[int, list[tuple[float, float]]] = {rows: [] for rows in ROWS}
        for _ in range(ROUNDS):
            for rows, times in found.items():
                times.append(measure(base, rows, length))
        for rows, times in found.items():
            reading, saying = (min(one) for one in zip(*times, strict=True))
            print(f"{length:>6} {rows:>6} {reading:>10.0f} {saying:>12.1f}")


if __name__ == "__main__":
    main()
