"""`python -m infinidoc`."""

from infinidoc.cli import main

main()
