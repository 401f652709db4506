"""A long ingest line by line: does it stay as fast, and as small, as it was at the start?"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from infinidoc.reading.summary import IngestProgress

STEP = 50_000  # tokens from one line to the next
LOG_LINE = "tokens/s since the last line"


class Log:
    """Says how far an ingest is, every so many tokens."""

    def __init__(self, say: Callable[[str], None] = partial(print, file=sys.stderr, flush=True), step: int = STEP):
        self.say, self.step, self.next = say, step, step
        self.began = self.last = time.perf_counter()
        self.tokens = 0

    def notify(self, reached: IngestProgress) -> None:
        if reached.tokens >= self.next:
            now = time.perf_counter()
            speed = (reached.tokens - self.tokens) / (now - self.last)
            self.say(
                f"{reached.tokens:>12,} tokens  {reached.files_done:>7,} files  {now - self.began:>8.1f} s  "
                f"{speed:>8,.0f} {LOG_LINE}  {peak_bytes() / 1e6:>7,.0f} MB peak"
            )
            self.tokens, self.last, self.next = reached.tokens, now, reached.tokens + self.step


def peak_bytes() -> int:
    """The most memory that this process has had at once."""
    import resource

    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says here can be the parent's
        return 1_024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
