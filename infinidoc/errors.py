"""The one error that a person is meant to read."""

INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it


class InfinidocError(Exception):
    """Something the user can understand and mend: one line that says what is wrong, and a hint that says what to do.

    The command line prints it without a traceback and exits with 1; the library raises it as it is.
    """

    def __init__(self, message: str, hint: str | None = None):
        super().__init__(message if hint is None else f"{message}: {hint}")


class Unwritable(InfinidocError):
    """Nothing is wrong with what is kept, but it can't be changed now: a full or read-only disk, another process."""


class Damaged(InfinidocError):
    """What is on the disk is not what was written."""
