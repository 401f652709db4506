"""Threads that compute side by side."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch


def one_core_each(workers: int) -> ThreadPoolExecutor:
    """A pool of so many threads, each of which computes on one core; every other thread keeps as many as it had.

    PyTorch lets go of the interpreter's lock while it computes, so threads will do, and the weights are there once.
    """
    threads = torch.get_num_threads()
    ready = Barrier(workers + 1)

    def begin() -> None:
        torch.set_num_threads(1)  # of this thread, and of all that begin after it
        ready.wait()

    pool = ThreadPoolExecutor(workers, initializer=begin)
    for _ in range(workers):
        pool.submit(int)  # a thread begins with each
    ready.wait()
    torch.set_num_threads(threads)
    return pool
