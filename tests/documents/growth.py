"""How the time that something takes grows with its input, whatever the processor."""

import time
from collections.abc import Callable
from typing import Any


def assert_linear(make: Callable[[int], Any], work: Callable[[Any], object], size: int) -> None:
    """Four times the input takes about four times as long, not sixteen. The best of three tries counts."""
    part, whole = make(size // 4), make(size)
    tries = []
    while len(tries) < 3:
        tries.append((seconds(work, part), seconds(work, whole)))
        if tries[-1][1] < 8 * tries[-1][0] + 0.1:
            return
    raise AssertionError(f"seconds for a quarter and for all of it: {tries}")


def seconds(work: Callable[[Any], object], given: Any) -> float:
    """Of the processor, so that other programs on the machine don't count."""
    start = time.process_time()
    work(given)
    return time.process_time() - start
