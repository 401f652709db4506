"""Where collections are, and moving and removing them."""

import pytest
import torch

from infinidoc.errors import InfinidocError
from infinidoc.memory import places
from infinidoc.memory.records import Identity
from infinidoc.memory.store import Store


def make(name=None):
    place = places.place(name)
    Store.create(
        place.directory, Identity("m", "d", "none", "", "least_squares"), {"projection": torch.ones(2, 128)}
    ).close()
    return place


def test_the_working_directory_has_its_own_and_named_ones_are_at_home(tmp_path, home):
    assert make().directory == tmp_path / "work" / ".infinidoc"
    assert make("manuals").directory == home / "collections" / "manuals"
    assert [place.name for place in places.places()] == [".", "manuals"]


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a b", "x" * 200, "-"])
def test_names_that_can_not_be(name):
    with pytest.raises(InfinidocError, match="can't name a collection"):
        places.place(name)


def test_a_missing_one_is_named_with_those_that_exist():
    with pytest.raises(InfinidocError, match="has no collection"):
        places.existing()
    make("manuals")
    with pytest.raises(InfinidocError, match="there is no collection manual: the named ones are: manuals"):
        places.existing("manual")


def test_remove(home):
    make("manuals")
    make("other")
    places.remove("manuals")
    assert [path.name for path in (home / "collections").iterdir()] == ["other"]


def test_rename(home):
    make()
    places.rename(".", "manuals")
    assert [place.name for place in places.places()] == ["manuals"]
    make("other")
    with pytest.raises(InfinidocError, match="already is"):
        places.rename("manuals", "other")
    with pytest.raises(InfinidocError, match="can't name"):
        places.rename("manuals", "a/b")
    places.rename("manuals", "handbooks")
    assert {place.name for place in places.places()} == {"handbooks", "other"}
    assert Store.open(home / "collections" / "handbooks").documents() == []
