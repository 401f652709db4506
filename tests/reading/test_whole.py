"""Dates and names that a reader cut short."""

import pytest

from infinidoc.reading.quoting import Shown, find_quotes
from infinidoc.reading.whole import whole


def in_full(question, answer, *texts):
    return whole(answer, question, find_quotes(answer, question, [Shown("x.txt", text) for text in texts]))


@pytest.mark.parametrize(
    ("question", "answer", "text", "full"),
    [
        (
            "When does it begin?",
            "Monday",
            "It begins on Monday, 11 May 2026, and takes nine days.",
            "Monday, 11 May 2026",
        ),
        ("when did the song come out", "2017", "It came out on May 15, 2017, through Epic.", "May 15, 2017"),
        ("On what date was it signed?", "3rd of March", "Signed on the 3rd of March 1912.", "3rd of March 1912"),
        ("When was the roof done?", "2020", "In May 2020 the roof was done.", "May 2020"),
        ("Wann beginnt die Bohrung?", "8. September", "Gebohrt wird ab dem 8. September 2025.", "8. September 2025"),
        ("Wann war die Sitzung?", "Juni", "Sitzung am Montag, 23. Juni 2025.", "Montag, 23. Juni 2025"),
        ("Quand a lieu la fête ?", "3 mars", "La fête a lieu lundi 3 mars 2025.", "lundi 3 mars 2025"),
        ("¿Cuándo abre?", "12 de mayo", "Abre el lunes 12 de mayo de 2025 a las 9.", "lunes 12 de mayo de 2025"),
        ("Quando apre?", "5 marzo", "È aperto dal 5 marzo 2024.", "5 marzo 2024"),
        (
            "Who believed it?",
            "Galton",
            "Francis Galton's cousin wrote, and Francis Galton believed it.",
            "Francis Galton",
        ),
        ("Who came?", "Rollo", "Before Rollo Ganger's ships came, nobody did.", "Rollo Ganger"),
        ("Wer führt den Vorsitz?", "Daxer", "Den Vorsitz führt Kathrin Daxer.", "Kathrin Daxer"),
    ],
)
def test_what_stands_there_in_full_is_given_in_full(question, answer, text, full):
    assert in_full(question, answer, text) == full


@pytest.mark.parametrize(
    ("question", "answer", "text"),
    [
        (
            "In what year did it come out?",
            "2017",
            "It came out on May 15, 2017, through Epic.",
        ),  # no more than is asked
        ("When does it open?", "9:00", "On 5 May it opens at 9:00."),  # no part of the date beside it
        ("Which month?", "May", "It opens in May 2020."),
        ("Who came?", "Rollo", "Before Rollo's arrival nobody came."),
        ("Who came first?", "Galton", "Galton came first. Francis Galton is another."),  # not where it was read
        ("Who killed Gwen in The Amazing Spider-Man?", "Spider-Man", "In The Amazing Spider-Man she falls."),
        ("Where did it go?", "Ayle", "It went to Firth Ayle."),
        ("Who came?", "he", "He came, Francis Galton."),
        ("When?", "in spring", "It opens on 5 May."),  # stands nowhere
        ("When?", "Monday and Tuesday", "Monday, 4 May, it rains. Tuesday, 5 May, it snows."),
        ("When?", "Yes", "It opens on 5 May."),
    ],
)
def test_all_else_stays_as_it_was_said(question, answer, text):
    assert in_full(question, answer, text) == answer


def test_without_passages_nothing_is_added():
    assert in_full("When?", "2017") == "2017"
