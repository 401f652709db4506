"""Where tasks are: named directories under the home directory."""

import os
import shutil
from pathlib import Path

from infinidoc.errors import InfinidocError
from infinidoc.home import home
from infinidoc.manyshot import DEFAULT_TASK
from infinidoc.manyshot.store import TaskStore
from infinidoc.memory.places import NAME


def directory(name: str = DEFAULT_TASK) -> Path:
    """Where a task is, or would be. Raises InfinidocError for a name that can't be one."""
    if not NAME.fullmatch(name):
        raise InfinidocError(f"{name!r} can't name a task", "use letters, digits, dots, dashes and underscores")
    return home() / "tasks" / name


def existing(name: str = DEFAULT_TASK) -> Path:
    """Where a task is. Raises InfinidocError if there is none, naming those that there are."""
    found = directory(name)
    require(name, found)
    return found


def require(name: str, where: Path) -> None:
    """Raises InfinidocError if there is no task in a directory, naming those that there are."""
    if not TaskStore.exists(where):
        known = ", ".join(names())
        hint = f"there are: {known}" if known else "make one with: infinidoc learn FILE --input COLUMN --output COLUMN"
        raise InfinidocError(f"there is no task {name}", hint)


def names() -> list[str]:
    """All tasks."""
    root = home() / "tasks"
    found = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return [name for name in found if NAME.fullmatch(name) and TaskStore.exists(root / name)]


def remove(name: str) -> Path:
    """Deletes a task whole. Raises InfinidocError if there is none, or another process is writing to it."""
    found = existing(name)
    with TaskStore.open(found) as store, store.writing():
        # Gone at once for everybody else, even if deleting the files takes a while or is cut short.
        rubbish = found.with_name(f".{found.name}.removed-{os.getpid()}")
        os.replace(found, rubbish)
    shutil.rmtree(rubbish)
    return found
