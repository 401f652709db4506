"""The `infinidoc` command, and `python -m infinidoc`."""

import os
import sys

from infinidoc.errors import INTERRUPTED


def main() -> None:
    """Hands the command to a warm process, if there is one; else imports what it needs, and runs it."""
    _open_streams()
    try:
        from infinidoc.warm import handed_over

        code = handed_over(sys.argv[1:])
        if code is None:
            from infinidoc.cli import main as run

            run()
    except KeyboardInterrupt:  # while something was still being imported
        code = INTERRUPTED
    sys.exit(code)


def _open_streams() -> None:
    """Of the standard streams those that are closed become empty ones, or a file of ours would get their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


if __name__ == "__main__":
    main()
