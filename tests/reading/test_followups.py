"""Which questions lean on those before them, and what is added to those that do."""

import pytest

from infinidoc.reading.followups import Turn, leans, with_context

SALT = Turn(
    "When was the Salt Museum founded?",
    "1968",
    "The Salt Museum in Brinewell was founded in 1968. In winter it opens at weekends. Dogs are welcome. Ida runs it.",
)
ENGLISH = (
    "Who runs it?",
    "And how long does it take?",
    "and in winter?",
    "Are dogs allowed?",
    "Why?",
    "How much?",
    "What does that mean?",
    "What about the Toy Museum?",
    "Where do they come from?",
    "How do I get there?",
)
OTHERS = (
    "Und im Winter?",
    "Warum?",
    "Was kostet das?",
    "Et en hiver ?",
    "Combien coûte-t-il ?",
    "¿Y en invierno?",
    "E oggi?",
)
ALONE = (
    "Is Ida welcome?",
    "How long does it take to walk to the lighthouse?",
    "When does the Toy Museum open?",
    "Who wrote the annual report?",
    "How many ships does the harbour of Grimsay hold when it freezes?",
    "what is founded in winter for the welcome dogs",  # so many words of its own, though all were in the passage
    "Is there a ferry to the island of Orle?",
    "wann öffnet das spielzeugmuseum",
    "Wer hat den Bericht über die Brücke geschrieben?",
    "Qui dirige la bibliothèque municipale ?",
    "¿Quién es el director del puerto viejo?",
    "Quando apre il mercato coperto?",
)


@pytest.mark.parametrize("question", [*ENGLISH, *OTHERS])
def test_these_lean(question):
    assert leans(question, [SALT])
    assert with_context(question, [SALT]) != question


@pytest.mark.parametrize("question", ALONE)
def test_these_stand_alone_and_stay_as_they_are(question):
    assert not leans(question, [SALT])
    assert with_context(question, [SALT]) == question


@pytest.mark.parametrize("question", [*ENGLISH, *OTHERS, *ALONE])
def test_the_first_question_has_nothing_to_lean_on(question):
    assert not leans(question, [])
    assert with_context(question, []) == question


def test_the_subject_is_added_and_a_name_that_was_answered():
    assert with_context("Who runs it?", [SALT]) == "Who runs it? (Salt Museum)"
    tomasz = Turn("Who runs it?", "Tomasz Wielicki", SALT.passage)
    assert with_context("Is he married?", [SALT, tomasz]) == "Is he married? (Salt Museum, Tomasz Wielicki)"
    bus = Turn("How often does bus 61 run on Sundays?", "twice", "Bus 61 runs twice on Sundays.")
    assert with_context("Where does it stop?", [bus]) == "Where does it stop? (bus 61)"
    plain = Turn("how warm is the big boiler?", "hot", "The boiler is hot.")
    assert with_context("Who services it?", [plain]) == "Who services it? (warm boiler)"
    assert with_context("Why?", [plain, Turn("Who services it?", "nobody")]) == "Why? (warm boiler)"
    assert with_context("And at noon?", [SALT]) == "And at noon? (Salt Museum)"


def test_the_subject_is_the_latest_that_was_turned_to():
    between = Turn("Who runs it?", "nobody", SALT.passage)
    assert with_context("Why?", [SALT, between]) == "Why? (Salt Museum)"
    toys = Turn("Where is the Toy Museum?", "in a cellar", "The Toy Museum is in a cellar.")
    assert with_context("Why?", [SALT, between, toys]) == "Why? (Toy Museum)"


def test_another_subject_takes_the_place_of_the_one_before():
    assert with_context("And the Toy Museum?", [SALT]) == "When was the Toy Museum founded?"
    assert with_context("what about the Toy Museum", [SALT]) == "When was the Toy Museum founded?"
    chain = [SALT, Turn("And the Toy Museum?", "1984", "The Toy Museum was founded in 1984.")]
    assert with_context("And of Clock House?", chain) == "When was the Clock House founded?"
    assert with_context("Who runs it?", chain) == "Who runs it? (Toy Museum)"
    lower = Turn("In which room is bookbinding?", "in 3", "Bookbinding is in room 3.")
    assert with_context("And pottery?", [lower]) == "In which room is pottery?"
    assert with_context("and where is the Toy Museum?", [SALT]) == "and where is the Toy Museum?"


def test_without_passages_a_single_noun_leans():
    said = [Turn("When was the Salt Museum founded?", "1968")]
    assert leans("Who is the director?", said)
    assert not leans("Who wrote the annual report?", said)


KILN = Turn(
    "How hot does the kiln get?", "1,060 °C", "The kiln gets as hot as 1,060 °C. The shelves are cleaned after."
)


@pytest.mark.parametrize(
    "question",
    [
        "And the sweep, when does it come?",
        "And the harbour office, is it open on Mondays?",
        "But the lighthouse, how high is it?",
        "Und der Leuchtturm, wie hoch ist das?",
    ],
)
def test_a_pronoun_may_stand_for_what_the_same_question_names(question):
    assert with_context(question, [KILN]) == question


@pytest.mark.parametrize(
    "question",
    [
        "And the shelves, when are they cleaned?",  # named where the answer before was read
        "And tomorrow, when does it get hot?",
        "And next year, when is it fired?",
        "And it, when is it fired?",
        "And on Sundays, is it fired?",
    ],
)
def test_what_is_no_other_subject_does_not_take_the_place_of_the_one_before(question):
    assert "kiln" in with_context(question, [KILN])
