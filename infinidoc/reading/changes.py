"""What was done about the files of a collection, from what it held before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from infinidoc.memory.records import StoredFile


@dataclass(frozen=True)
class Change:
    """What was done about the file at `path`: it was read, or read instead of what it held before; it was moved there
    from where it `was`, or is a copy of that; it is gone; it could not be read, or not all of it, for a `reason`."""

    what: Literal["read", "replaced", "moved", "copied", "removed", "skipped", "noted"]
    path: str
    was: str = ""
    reason: str = ""


def changes_between(before: Mapping[str, StoredFile], after: Mapping[str, StoredFile]) -> list[Change]:
    """What was done about files. One that was moved holds what another one held that is gone."""
    held: dict[str, list[str]] = {}
    for path, file in before.items():
        held.setdefault(file.digest, []).append(path)
    changes, moved = [], set()
    for path, file in after.items():
        if path in before:
            if before[path].digest != file.digest:
                changes.append(Change("replaced", path))
        elif others := held.get(file.digest):
            was = next((other for other in others if other not in after and other not in moved), "")
            moved.add(was)
            changes.append(Change("moved" if was else "copied", path, was or others[0]))
        else:
            changes.append(Change("read", path))
    return changes + [Change("removed", path) for path in before if path not in after and path not in moved]
