"""The `infinidoc` command, and `python -m infinidoc`."""

import sys

from infinidoc.warm import handed_over


def main() -> None:
    """Hands the command to a warm process, if there is one; else imports what it needs, and runs it."""
    code = handed_over(sys.argv[1:])
    if code is None:
        from infinidoc.cli import main as run

        run()
    sys.exit(code)


if __name__ == "__main__":
    main()
