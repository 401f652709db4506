"""Where infinidoc keeps what outlives a run: converted models, named collections."""

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """`INFINIDOC_HOME`, or the platform's directory for user data. Not created here."""
    chosen = os.environ.get("INFINIDOC_HOME")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("infinidoc", appauthor=False)
