"""The same words in other dress."""

import unicodedata

import pytest

from infinidoc.documents.wording import LANGUAGES, Letters, content, language, stems


def found(text, wanted, articles=True):
    return [text[start:end] for start, end in Letters(text, articles).find(Letters(wanted, articles))]


@pytest.mark.parametrize(
    ("text", "wanted", "places"),
    [
        ("on Monday, 11 May\n2026, at noon", "monday 11 may 2026", ["Monday, 11 May\n2026"]),
        ("the com\u00admittee of the", "Committee", ["com\u00admittee"]),
        ("U.S. Navy; the US navy", "US Navy", ["U.S. Navy", "US navy"]),
        ("25 % or 25% or 125 %", "25%", ["25", "25"]),
        ("rent 4,417 or 4 417", "4417", ["4,417", "4 417"]),
        ("4,417 and 8:30 and 4.", "4", ["4"]),
        ("10 am–5 pm", "5 pm", ["5 pm"]),
        ("staircase, stairs", "stair", []),
        ("25kg", "25", ["25"]),
        ("B12", "12", []),
        ("Straße nach Köln", "STRASSE NACH KÖLN", ["Straße nach Köln"]),
        ("東京都の人口", "人口", ["人口"]),
        ("l’azuré bleu", "Azuré", ["azuré"]),
        ("an “odd” word", "odd", ["odd"]),
        ("no signs", "§", []),
    ],
)
def test_words_are_found_whole_in_any_dress(text, wanted, places):
    assert found(text, wanted) == places


def test_composed_or_not_is_the_same_but_accents_count():
    composed, decomposed = (unicodedata.normalize(form, "das Café Zürich") for form in ("NFC", "NFD"))
    assert found(decomposed, "Café Zürich") == [decomposed[4:]]
    assert found(composed, unicodedata.normalize("NFD", "Café")) == ["Café"]
    assert found(decomposed, "Cafe") == found(composed, "Cafe") == []


def test_articles_count_only_when_asked_for():
    assert found("bring lantern", "a lantern") == []
    assert found("bring lantern", "a lantern", articles=False) == ["lantern"]
    assert found("staircase A, staircase B", "staircase A") == ["staircase A"]


def test_words_that_hold_sentences_together_are_no_content():
    assert content("When is the boiler serviced?") == content("the boilers' service")
    assert content("Wann wird er es tun, et pourquoi?") == content("tun")
    assert stems("Zone 30, Q-101") == ["zon", "30", "q", "101"]


def test_one_and_several_of_a_thing_are_the_same_word():
    one = "wine, date, table, page, house, box, city, invoice, day, boss, Jahr"
    assert stems(one) == stems("wines, dates, tables, pages, houses, boxes, cities, invoices, days, boss, Jahre")
    assert len(set(stems(one))) == 11


def test_a_question_tells_its_language_or_what_stands_beside_it_does():
    told = ("When is it?", "Wann ist das?", "Quand est-ce ?", "¿Cuándo es eso?", "Quando è?")
    assert tuple(map(language, told)) == LANGUAGES
    assert language("Was bedeutet F3?") == "en"  # "was" is a word of both
    assert language("Was bedeutet F3?", "Die Meldung steht für einen Fehler der Pumpe.") == "de"
    assert language("Who directs it?", "Das Stück wird von ihr geleitet, und die Bühne ist neu.") == "en"
    assert language("boiler 40") == language("") == "en"
