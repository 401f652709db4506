"""Threads that compute side by side."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import torch


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
