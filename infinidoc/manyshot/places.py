"""Where tasks are: named directories under the home directory."""

from pathlib import Path

from infinidoc.errors import InfinidocError
from infinidoc.home import home
from infinidoc.manyshot import DEFAULT_TASK
from infinidoc.manyshot.store import TaskStore
from infinidoc.memory.places import checked, delete, named


def directory(name: str = DEFAULT_TASK) -> Path:
    """Where a task is, or would be. Raises InfinidocError for a name that can't be one."""
    return home() / "tasks" / checked(name, TaskStore)


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
    return named(home() / "tasks", TaskStore)


def remove(name: str) -> Path:
    """Deletes a task whole. Raises InfinidocError if there is none, or another process is writing to it."""
    found = existing(name)
    delete(found, TaskStore)
    return found
