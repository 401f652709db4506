"""Threads that compute side by side: how many, beside whatever else the machine does."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import torch

COUNTED = Path("/proc/stat")  # Linux alone has it
LOOK_SECONDS = 0.2  # at least, from one look to the next: it counts in hundredths of a second


def one_core_each(workers: int) -> ThreadPoolExecutor:
    """A pool of so many threads, each of which computes on one core; every other thread keeps as many as it had.

    PyTorch lets go of the interpreter's lock while it computes, so threads will do, and the weights are there once.
    """
    threads = torch.get_num_threads()
    ready = Barrier(workers + 1)

    def begin() -> None:
        torch.set_num_threads(1)  # of this thread, and of all that begin after it
        with suppress(BrokenBarrierError):
            ready.wait()

    pool = ThreadPoolExecutor(workers, initializer=begin)
    try:
        for _ in range(workers):
            pool.submit(int)  # a thread begins with each
        ready.wait()
    except BaseException:  # Ctrl-C: those that wait here would keep the process from ending
        ready.abort()
        pool.shutdown()
        raise
    finally:
        torch.set_num_threads(threads)
    return pool


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Computes on so many threads, or on as many as this one has, if those are fewer."""
    had = torch.get_num_threads()
    if threads >= had:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(had)


@contextmanager
def on_free_cores() -> Iterator[None]:
    """Computes on as many cores as other processes leave free, at most as many as this thread has, at least on one.

    The threads of one product wait for each other at its end. Where one of them has no core the others wait until the
    system takes it away from another process, and that for each of a token's two hundred products.
    """
    with at_most(max(1, round(_others.free())) if torch.get_num_threads() > 1 else 1):
        yield


class _Others:
    """What other processes do on the cores that this one may use."""

    def __init__(self) -> None:
        self._free, self._last = float(os.cpu_count() or 1), self._counted()

    def free(self) -> float:
        """How many cores they left between the last two looks; all of them where nothing counts that."""
        then, now = self._last, time.monotonic()
        if then and now - then[0] >= LOOK_SECONDS and (found := self._counted()):
            passed, busy, own = (new - old for new, old in zip(found[:3], then[:3], strict=True))
            self._free, self._last = found[3] - (busy - own) / passed, found
        return self._free

    @staticmethod
    def _counted() -> tuple[float, float, float, int] | None:
        """In seconds the time, how long these cores were busy since the system began, how long with this process; and
        how many they are."""
        with suppress(OSError, ValueError, AttributeError):
            cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
            lines = [line.split() for line in COUNTED.read_text().splitlines() if line.startswith("cpu")]
            # All but 4, idle, and 5, waiting for a disk; 8 is what other virtual machines took.
            ticks = sum(int(line[field]) for line in lines if line[0] in cores for field in (1, 2, 3, 6, 7, 8))
            return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time(), len(cores)
        return None


_others = _Others()
