"""The sentence under an answer: its words marked on a terminal, and the text alone in a pipe."""

import json
import sys

from infinidoc.cli.sources import ALL_ELSEWHERE, SOME_ELSEWHERE
from infinidoc.reading import answering
from tests.cli.test_render import on_a_terminal

SHOW = """
import sys
from infinidoc.cli.sources import print_quotes
from infinidoc.reading.answers import Answer
from infinidoc.reading.quoting import Quote
quote = Quote(sys.argv[1], "a\\x1b.txt", "line 3", 0, 0, 9, ((4, 7),), True)
print_quotes(Answer("?", "two", True, False, quotes=[quote], verbatim=True))
"""


def test_the_answers_words_are_marked_on_a_terminal_only(monkeypatch, capsys):
    shown = on_a_terminal(SHOW, "one two\nthree\x1b[2J")
    assert "  one \x1b[1;4mtwo\x1b[0m three\\x1b[2J\n" in shown
    assert "a\\x1b.txt, line 3" in shown
    monkeypatch.setattr(sys, "argv", ["-", "one two\nthree\x1b[2J"])
    exec(SHOW, {})
    assert capsys.readouterr().out == "\n  one two three\\x1b[2J\n  a\\x1b.txt, line 3\n"


def test_ask_and_chat_show_where_the_words_stand_or_that_they_stand_nowhere(filled, docs, monkeypatch):
    sentence = (docs / "log-00.txt").read_text().split("\n\n")[1].split(". ")[0].rstrip(".") + "."
    ship = sentence.split()[1]

    def says(words):
        monkeypatch.setattr(answering, "generate", lambda base, ids, state, most, on_text: on_text(words) or words)

    says(sentence)
    for command in (("ask", sentence, "--top", "50"), ("chat", "--top", "50")):
        code, out, _ = filled(*command, stdin=sentence)
        assert code == 0
        assert f"{sentence}\n\n  {sentence}\n  docs/log-00.txt, line 3\n" in out
        assert "rely on it" not in out
    (quote,) = json.loads(filled("ask", sentence, "--top", "50", "--json")[1])["quotes"]
    assert (docs / "log-00.txt").read_text()[quote["start"] : quote["end"]] == quote["text"] == sentence
    assert quote["marks"] == [[0, len(sentence) - 1]]
    for words, said in (("ninety zebras", ALL_ELSEWHERE), (f"the {ship} and zebras", SOME_ELSEWHERE)):
        says(words)
        assert f"\n{said}\n" in filled("ask", sentence, "--top", "50")[1]
