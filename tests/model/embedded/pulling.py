"""What pip was asked for, what it does, and what is left."""

import json
from pathlib import Path


def requirements(seen: Path) -> list[str]:
    """What pip was asked for, call by call."""
    return [json.loads(line)[1][-1] for line in seen.read_text().splitlines()]


DELIVER = "shutil.copy(wheel, dest)"


def left_over(models: Path) -> set[str]:
    """What a pull left, but for the lock's file and the memo of digests."""
    names = {path.name for path in models.iterdir()} if models.exists() else set()
    return {name for name in names if not name.endswith(".lock")} - {"digests.json"}
