"""What reading in two passes costs and gains: python benchmarks/passes.py [--windows 6] [PATH …]

Window by window, side by side in one process, on one thread, in processor seconds: one pass over all layers; two, the
second of which begins where the first ended; and two, the second of which begins with the text.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from infinidoc.documents.discovery import File, discover
from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import load as load_file
from infinidoc.documents.formats import read_document
from infinidoc.documents.segmentation import split_into_passages
from infinidoc.memory import tensors
from infinidoc.model.base import BaseModel
from infinidoc.model.encoding import Begun, Encoder, batches_of, side_by_side, take_seats, window_tokens
from infinidoc.model.kernels import unpack
from infinidoc.model.loading import load
from infinidoc.model.passes import single_pass
from infinidoc.reading.remembering import HIDDEN, packed
from infinidoc.reading.removal import ids_of, segments_of

ROOT = Path(__file__).parents[1]


def windows(base: BaseModel, paths: list[Path]) -> Iterator[list[list[int]]]:
    window: list[list[int]] = []
    for file in discover(paths):
        if not isinstance(file, File):
            continue
        try:
            document = read_document(file.name, load_file(file.path))
        except Unreadable:
            continue
        for segment in segments_of(base, split_into_passages(document, base.encode)):
            window.append(ids_of(segment))
            if sum(map(len, window)) >= window_tokens(base.device):
                yield window
                window = []


def seconds(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    began = time.process_time()
    return work(*arguments), time.process_time() - began


def nothing(tokens: int) -> None:
    pass


class Passes:
    def __init__(self, base: BaseModel, encoder: Encoder, directory: Path):
        self.base, self.encoder, self.directory = base, encoder, directory

    @torch.no_grad()
    def one(self, window: list[list[int]]) -> None:
        head = self.encoder.head
        assert head is not None
        seats = take_seats([len(segment) for segment in window], 1_024)
        for seat, batch in batches_of(seats):
            rows = {row: window[index] for row, index in batch.items()}
            ids, mask = side_by_side([rows.get(row, ()) for row in range(seat.rows)], self.base.start, seat.width)
            memory = single_pass(self.base.model, ids, head.layer)
            entering = memory.layers[head.layer].entering
            assert entering is not None
            head.addresses(entering[:, len(self.base.start) :])
            memory.fold(mask)

    def first(self, window: list[list[int]]) -> tuple[Any, str]:
        found = self.encoder.first_pass(window, keep=True)(nothing)
        assert found.begun is not None
        return found, tensors.write(self.directory, "begun", packed(found.begun))

    def second(self, window: list[list[int]], name: str, seats: Any) -> None:
        kept = tensors.read(self.directory, name)
        hidden = kept.pop(HIDDEN).split([len(self.base.start) + len(segment) for segment in window])
        self.encoder.second_pass(Begun(list(hidden), unpack(kept) or []), seats)(nothing)
        (self.directory / name).unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="*", default=[ROOT / "examples" / "library"])
    parser.add_argument("--windows", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    base, adapter = load()
    head = adapter.head() if adapter else None
    if head is None:
        raise SystemExit("benchmarks/passes.py: this needs an adapter with an address head")
    shares: dict[str, list[float]] = {"first": [], "two, kept": [], "two, from the text": []}
    with tempfile.TemporaryDirectory() as folder, Encoder(base, head) as encoder:
        passes = Passes(base, encoder, Path(folder))
        for number, window in enumerate(windows(base, options.paths)):
            if number > options.windows:
                break
            _, whole = seconds(passes.one, window)
            (found, name), first = seconds(passes.first, window)
            size = (Path(folder) / name).stat().st_size / sum(map(len, window))
            _, second = seconds(passes.second, window, name, found.seats)
            _, bare = seconds(lambda window=window: encoder.first_pass(window)(nothing))
            _, anew = seconds(lambda window=window, seats=found.seats: encoder.second_pass(window, seats)(nothing))
            if number:  # the first one warms up
                for key, value in zip(shares, (first, first + second, bare + anew), strict=True):
                    shares[key].append(value / whole)
                times = f"{whole:.1f} s; first {first:.1f}, second {second:.1f}, from the text {anew:.1f}"
                print(f"{times}; {size:.0f} bytes a token", flush=True)
    for key, values in shares.items():
        print(f"{key}, over one pass: {statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})")


if __name__ == "__main__":
    main()
