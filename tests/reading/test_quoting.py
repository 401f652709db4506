"""Which sentence is quoted for an answer, what is marked in it, and what a long answer cites."""

import pytest

from infinidoc.reading.quoting import Citing, Shown, cite, find_quotes, gist, is_verbatim

MINUTES = """Minutes of 4 March. 1. Roof. Marlow and Quist repair the north slope for £3,480.
The work begins on Monday, 11 May
2026. 2. Heating. The boiler is serviced on Monday by Dr. Hollis."""
MAIL = """From: Ida Hollis <ida@x.example>
Date: Mon, 9 Mar 2026
Subject: Boiler

I come on 17 September. Please leave the key with Marit."""
TABLE = "Plot: 47; Tenant: Brandt; Rent: 38\nPlot: 48; Tenant: Aasen; Rent: 38\nPlot: 49; Tenant: Okafor; Rent: 40"


def marked(quote):
    return [quote.text[start:end] for start, end in quote.marks]


def only(answer, question, *texts):
    (quote,) = find_quotes(answer, question, [Shown("", text) for text in texts])
    return quote


def test_a_quote_is_the_sentence_with_the_words_marked_and_its_place_in_the_document():
    document = f"A title page.\n\n{MINUTES}"
    start = document.index("Minutes")
    (quote,) = find_quotes(
        "monday 11 may 2026", "When does the work begin?", [Shown("", "x"), Shown("", MINUTES, start)]
    )
    assert quote.text == "The work begins on Monday, 11 May\n2026."
    assert marked(quote) == ["Monday, 11 May\n2026"]
    assert (quote.source, quote.verbatim) == (1, True)
    assert document[quote.start : quote.end] == quote.text


@pytest.mark.parametrize(
    ("answer", "question", "text", "expected"),
    [
        ("Monday", "When is the boiler serviced?", MINUTES, "The boiler is serviced on Monday by Dr. Hollis."),
        ("£3,480", "What does the slope cost?", MINUTES, "Marlow and Quist repair the north slope for £3,480."),
        ("38", "What does Aasen pay?", TABLE, "Plot: 48; Tenant: Aasen; Rent: 38"),
        ("the 17 September", "When does she come?", MAIL, "I come on 17 September."),
        ("Mon, 9 Mar 2026", "When was it sent?", MAIL, "Date: Mon, 9 Mar 2026"),
        ("Ida Hollis", "Who sent the mail?", MAIL, "From: Ida Hollis <ida@x.example>"),
        ("人口は九百万人", "東京の人口は?", "大阪の話。東京の人口は九百万人です。", "東京の人口は九百万人です。"),
    ],
)
def test_the_question_decides_among_places(answer, question, text, expected):
    assert only(answer, question, text).text == expected


def test_what_stands_around_a_sentence_decides_too():
    text = "The salt museum is old. It opens at 9. The toy museum is new. It opens at 9."
    quote = only("at 9", "When does the toy museum open?", text)
    assert quote.start == text.rindex("It opens")


def test_the_better_passage_is_quoted_when_all_else_is_alike():
    assert only("red", "Which colour?", "It is red.", "It is red.").source == 0


def test_each_item_of_a_list_has_its_sentence():
    text = "Bring a lantern. The bus leaves at 8. Take boots and a lantern too. A hat helps."
    quotes = find_quotes("a lantern, boots and a hat", "What should one bring?", [Shown("", text)])
    assert [quote.text for quote in quotes] == ["Take boots and a lantern too.", "A hat helps."]
    assert marked(quotes[0]) == ["boots", "a lantern"]
    assert all(quote.verbatim for quote in quotes)
    dates = only("11 May 2026, 2026", "When?", "On 11 May 2026 it begins.")
    assert marked(dates) == ["11 May 2026"]
    assert only("boots and a lantern", "What?", text).text == "Take boots and a lantern too."


def test_both_versions_are_quoted():
    shown = [Shown("2026", "The fee is 12 euros."), Shown("2025", "The fee is 10 euros.")]
    quotes = find_quotes("12 euros (an earlier version says 10 euros)", "What is the fee?", shown)
    assert [(quote.source, marked(quote), quote.verbatim) for quote in quotes] == [
        (0, ["12 euros"], True),
        (1, ["10 euros"], True),
    ]


def test_yes_and_no_quote_what_fits_the_question():
    text = "The shop is closed on Sundays. Dogs are not admitted, as No. 5 is asleep. Ring twice."
    for answer in ("No", "no.", "Nein"):
        quote = only(answer, "Are dogs admitted?", text)
        assert quote.text.startswith("Dogs")
        assert (quote.marks, quote.verbatim) == ((), False)
        assert is_verbatim(answer, [quote]) is None
    reason = only("No, No. 5 is asleep", "Are dogs admitted?", text)
    assert marked(reason) == ["No. 5 is asleep"]
    assert marked(only("No. 5", "Who is asleep?", text)) == ["No. 5"]


def test_several_sentences_are_one_quote_where_they_stand_together_else_one_each():
    shown = [Shown("", "The lamp is out. Mice ate the wick. It was cold. Ida has oil.")]
    assert [quote.text for quote in find_quotes("Mice ate the wick. It was cold", "Why?", shown)] == [
        "Mice ate the wick. It was cold."
    ]
    quotes = find_quotes("Ida has oil. Mice ate the wick.", "Why?", shown)
    assert [quote.text for quote in quotes] == ["Ida has oil.", "Mice ate the wick."]


def test_signs_alone_are_found_as_they_are():
    assert marked(only("§ %", "Which signs?", "No signs here. The signs are § % and more.")) == ["§ %"]


def test_words_that_stand_nowhere_are_said_to():
    quote = only("twelve copper kettles", "What does the shop sell?", "We open at 8. The shop sells kettles.")
    assert (quote.text, marked(quote), quote.verbatim) == ("The shop sells kettles.", ["kettles"], False)
    assert is_verbatim("twelve copper kettles", [quote]) is False
    partly = find_quotes("kettles and lamps", "What is sold?", [Shown("", "The shop sells kettles.")])
    assert is_verbatim("kettles and lamps", partly) is False
    assert is_verbatim("kettles", find_quotes("kettles", "", [Shown("", "Kettles!")])) is True


def test_nothing_to_quote_from():
    assert find_quotes("yes", "Is it?", []) == find_quotes("a", "Is it?", [Shown("", " \n")]) == []
    assert is_verbatim("yes, it is", []) is None


def test_sentences_are_cited_by_the_passage_that_bears_them_out():
    shown = [Shown("", MINUTES), Shown("", MAIL)]
    text = "The work on the roof begins on 11 May 2026. Dr. Hollis comes on 17 September; leave the key with Marit."
    assert cite(text, shown) == (
        "The work on the roof begins on 11 May 2026. [1] "
        "Dr. Hollis comes on 17 September; leave the key with Marit. [2]"
    )
    assert cite("Marlow and Quist repair the slope; Ida Hollis comes on 17 September.", shown).endswith(". [1] [2]")
    assert cite("The work begins on 12 May 2026.", shown) == "The work begins on 12 May 2026."
    assert cite("Penguins live on ice shelves.", shown) == "Penguins live on ice shelves."
    assert cite("", shown) == cite("", []) == ""


def test_citations_come_sentence_by_sentence_as_the_text_does():
    shown = [Shown("", MINUTES), Shown("", MAIL)]
    text = "The work on the roof begins on 11 May 2026. Leave the key with Marit."
    heard = []
    citing = Citing(shown, heard.append)
    for piece in text:
        citing.add(piece)
    assert [said for said in heard if said] == ["The work on the roof begins on 11 May 2026. [1] "]
    assert len(heard) == len(text)  # who listens may end it at any moment
    citing.close()
    assert "".join(heard) == citing.text == cite(text, shown)
    assert citing.all_cited
    citing.add("Penguins swim.")
    citing.close()
    assert citing.text.endswith("Penguins swim.")
    assert not citing.all_cited


def test_a_refusal_is_not_cited():
    citing = Citing([Shown("", "All of it is not in these documents.")], lambda text: None)
    citing.add("not in these documents")
    citing.close(refused=True)
    assert citing.text == "not in these documents"


def test_the_gist_of_passages_is_what_the_question_points_at():
    log = Shown("log.txt", "The Amalia sailed on Monday. She carries grain.\n\nSalt went to Bergen. The crew slept.")
    book = Shown("book.txt", "ship: Zenobia; cargo: salt; port: Bergen\nship: Amalia; cargo: wine; port: Hull")
    assert gist("Which ship brings salt to Bergen?", [log, book], 2) == [
        ("book.txt", "ship: Zenobia; cargo: salt; port: Bergen"),
        ("log.txt", "Salt went to Bergen."),
    ]
    together = gist("What does the Amalia carry?", [log], 2)
    assert together == [("log.txt", "The Amalia sailed on Monday. She carries grain.")]
    assert gist("Amalia, crew?", [log], 2) == [("log.txt", "The Amalia sailed on Monday.\nThe crew slept.")]
    assert gist("Amalia?", [log], 9) == [("log.txt", log.text)]
    assert gist("Amalia?", [], 2) == []
