"""The public sets of labelled texts, in the form in which they are published."""

import json
from pathlib import Path

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.intents import Texts, banking77, clinc150

HERE = Path()


def test_banking77():
    Path("banking77-train.csv").write_text('text,category\n"Where is my card,\nplease?",card_arrival\n')
    Path("banking77-test.csv").write_text("text,category\nClose my account,terminate_account\n")
    found = banking77(HERE)
    assert found.train == Texts(["Where is my card,\nplease?"], ["card_arrival"])
    assert found.test == Texts(["Close my account"], ["terminate_account"])
    assert found.outside is None


def test_clinc150_keeps_what_fits_no_intent_for_the_test():
    parts = {"train": [["what is love in italian", "translate"]], "oos_train": [["who won", "oos"]]}
    parts |= {"val": [["say hello in french", "translate"]], "oos_val": [["how tall is he", "oos"]], "test": []}
    Path("clinc150.json").write_text(json.dumps(parts))
    found = clinc150(HERE)
    assert found.train == Texts(["what is love in italian"], ["translate"])
    assert found.test == Texts(["say hello in french", "how tall is he"], ["translate", "oos"])
    assert found.outside == "oos"


@pytest.mark.parametrize("dataset", [banking77, clinc150])
def test_missing_files_are_said_with_where_to_get_them(dataset):
    with pytest.raises(InfinidocError, match=r"there is no (banking77-train|clinc150).* in .*github\.com"):
        dataset(HERE)


@pytest.mark.parametrize("content", ["[]", "{}", '{"train": 1, "val": [], "oos_val": []}', "no JSON"])
def test_another_file_by_that_name(content):
    Path("clinc150.json").write_text(content)
    with pytest.raises(InfinidocError, match="isn't CLINC150"):
        clinc150(HERE)


def test_tables_without_examples():
    Path("empty.csv").write_text("text,label\n,x\n")
    with pytest.raises(InfinidocError, match=r"no examples in empty\.csv"):
        Texts.read(Path("empty.csv"), "text", "label")
