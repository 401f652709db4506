"""Sentences, rows and lines, in texts as they come out of files."""

import itertools

import pytest

from infinidoc.documents.sentences import sentences


def split(text):
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith came at 8. He left.", ["Dr. Smith came at 8.", "He left."]),
        ("See No. 5. Ask for it.", ["See No. 5.", "Ask for it."]),
        ("Is it open? No. Come later.", ["Is it open?", "No.", "Come later."]),
        ("Some, e.g. Ulm, i.e. Towns. All.", ["Some, e.g. Ulm, i.e. Towns.", "All."]),
        ("By J. R. Hale et al. Printed.", ["By J. R. Hale et al. Printed."]),
        ("We meet at 8 p.m. The hall is cold.", ["We meet at 8 p.m.", "The hall is cold."]),
        ("It opened in 1874. Trains came.", ["It opened in 1874.", "Trains came."]),
        ("Am 11. Mai kommt er. Im 19. Jahrhundert auch.", ["Am 11. Mai kommt er.", "Im 19. Jahrhundert auch."]),
        ("She said “No.” Then (at last.) All left!", ["She said “No.”", "Then (at last.)", "All left!"]),
        ("It costs 3.50 euros and weighs 1. 5 are left", ["It costs 3.50 euros and weighs 1.", "5 are left"]),
        ("猫がいる。犬は「ワン！」と言う。終わり", ["猫がいる。", "犬は「ワン！」", "と言う。", "終わり"]),
        ("3. Water. The pump is off.", ["3. Water.", "The pump is off."]),
        ("Heating The boiler is old. It leaks.", ["Heating The boiler is old.", "It leaks."]),
    ],
)
def test_full_stops(text, expected):
    assert split(text) == expected


def test_lines_that_are_rows_headers_and_items_stand_alone():
    mail = (
        "From: Dr. Uhlig <u@x.example>\nTo: Naomi Castellanos of Brine Street\nDate: Tue, 3 Mar\n\nDear Ms C.,\nCome."
    )
    assert split(mail) == [*mail.split("\n\n")[0].split("\n"), "Dear Ms C.,", "Come."]
    table = "Plot | Tenant | Rent\n47 | A. Brandt. Widow | 38\nPlot: 48; Tenant: B. Aasen. Left; Rent: 40"
    assert split(table) == table.split("\n")
    items = "# Rules of the house and of the garden\n- No dogs. None.\n- No loud music after ten in the evening\n2) Ask"
    assert split(items) == [
        "# Rules of the house and of the garden",
        "- No dogs.",
        "None.",
        *items.split("\n")[2:],
    ]


def test_a_sentence_goes_on_over_a_wrapped_line_but_not_over_a_short_one():
    wrapped = (
        "The lighthouse was built in the year 1874 by Ellen\nMarsh and her brothers, who lived in it until the\nwar."
    )
    assert split(f"{wrapped} Then it stood empty.") == [wrapped, "Then it stood empty."]
    poem = "The lamp is lit\nthe keeper sleeps\nthe sea is near"
    assert split(poem) == poem.split("\n")
    assert split("The first paragraph goes on until the very last word\n\nof it") == [
        "The first paragraph goes on until the very last word",
        "of it",
    ]


def test_only_space_is_left_out():
    text = "\ufeff  One.  Two!\r\n\tThree | four\n\n\n 五。六 \n"
    places = sentences(text)
    assert places == sorted(places)
    edges = [(0, 0), *places, (len(text), len(text))]
    outside = "".join(text[end:start] for (_, end), (start, _) in itertools.pairwise(edges))
    assert not outside.strip()
    assert sentences(" \n ") == []
