"""Small tasks over the tiny model."""

import pytest

from infinidoc.manyshot.task import Task

SHIPS = [
    f"the ship {name} carries {what}" for name in ("Amalia", "Berta", "Clara") for what in ("grain", "wine", "oil")
]
BRIDGES = [f"a bridge of {what} over the {river}" for what in ("stone", "steel", "wood") for river in ("Rhine", "Po")]
EXAMPLES = [*((text, "ship") for text in SHIPS), *((text, "bridge") for text in BRIDGES)]


@pytest.fixture
def task(tiny):
    with Task.open("things", model=str(tiny)) as opened:
        yield opened


@pytest.fixture
def learnt(task):
    task.add(EXAMPLES)
    return task
