"""The web page, in a real Chromium: files go in, questions are asked, and the source is shown in place."""

from pathlib import Path
from threading import Event

import pytest
from reportlab.lib.pagesizes import A4
from selenium.webdriver.common.keys import Keys

from infinidoc.reading.conversation import Conversation
from infinidoc.reading.readers.local import LocalReader
from tests.serving.conftest import served
from tests.serving.page.papers import ROOF, minutes

# Adding, asking, the source in place


def test_a_file_is_added_asked_about_and_shown_in_place(page):
    minutes("minutes.pdf")
    page.add("minutes.pdf", to="papers")
    assert page.text(".document") == "minutes.pdf\n3 pages"
    assert "1 document added" in page.text("#report")
    turn = page.ask("When does the work on the roof begin?")
    assert page.text(".turn h2") == "When does the work on the roof begin?"
    (source,) = [found for found in page.all(".found") if ROOF in found.text]
    source.click()
    mark = page.wait(".page .mark")
    assert page.text("#source-name") == "minutes.pdf"
    assert page.text("#source-place") == "page 2"
    assert page.text("#page-number") == "2 of 3"
    image = page.wait(".page img")
    assert page.js("return arguments[0].naturalWidth", image) > 1000
    sheet, box = image.rect, mark.rect  # the line stands at 72, 600 from the lower left, in a font of 12 points
    assert (box["x"] - sheet["x"]) / sheet["width"] == pytest.approx(72 / A4[0], abs=0.01)
    assert (box["y"] - sheet["y"]) / sheet["height"] == pytest.approx(1 - 611 / A4[1], abs=0.01)
    assert 0.2 < box["width"] / sheet["width"] < 0.7
    assert turn.get_attribute("aria-busy") is None


def test_pages_are_turned_and_the_mark_is_found_again(asked):
    next(found for found in asked.all(".found") if ROOF in found.text).click()
    asked.wait(".page .mark")
    asked.click("#next")
    asked.until(lambda: asked.text("#page-number") == "3 of 3" and not asked.all(".page .mark"))
    assert not asked.wait("#next").is_enabled()
    asked.click("#marked")
    asked.until(lambda: asked.text("#page-number") == "2 of 3" and asked.all(".page .mark"))
    asked.click("#as-text")
    asked.until(lambda: asked.text("mark") and ROOF in asked.text("#source-body mark"))
    asked.click("#as-text")
    asked.wait(".page .mark")


def test_the_lines_of_a_text_are_marked_and_in_sight(page):
    Path("rules.txt").write_text("\n".join(f"{number}. Rule number {number} is this one." for number in range(1, 400)))
    page.add("rules.txt", to="papers")
    page.ask("Rule number 300", mode="search")
    found = page.all(".found")[-1]
    passage = page.js("return arguments[0].querySelector('.text').textContent", found)
    found.click()
    mark = page.wait("#source-body mark")
    marked = page.js("return [...document.querySelectorAll('#source-body mark')].map((mark) => mark.textContent)")
    assert "\n".join(marked) == passage
    body, line = page.wait("#source-body").rect, mark.rect
    assert body["y"] <= line["y"] <= body["y"] + body["height"]


def test_more_of_a_long_text_is_shown_at_both_ends(page):
    lines = [f"Line {number} of a long text that goes on." for number in range(500)]
    Path("long.txt").write_text("\n".join(lines))
    page.add("long.txt", to="papers")
    page.click(".document")
    page.wait(".line")
    assert "Show what comes before" not in page.text("#source")
    count = "return document.querySelectorAll('.line').length"
    while button := page.find(".more"):
        before = page.js(count)
        button.click()
        page.until(lambda before=before: page.js(count) > before)
    shown = page.js("return [...document.querySelectorAll('.words')].map((line) => line.textContent)")
    assert shown == lines


def test_folders_keep_their_paths(page):
    for name in ("logs/2024/may.txt", "logs/june.txt", "logs/.hidden.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(f"This is {name}.")
    page.add("logs", to="papers", by="folder")
    rows = page.server("GET", "/api/collections/papers/documents").json["documents"]
    assert sorted(row["document"] for row in rows) == ["logs/2024/may.txt", "logs/june.txt"]


def test_files_and_folders_can_be_dropped_on_the_page(asked):
    Path("more/deep").mkdir(parents=True)
    Path("more/deep/a.txt").write_text("A text within a folder.")
    Path("b.txt").write_text("A text beside it.")
    data = {"items": [], "files": [str(Path("more").resolve()), str(Path("b.txt").resolve())], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        asked.driver.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": 700, "y": 300, "data": data})
        if kind == "dragOver":
            assert "Drop to add to papers" in asked.wait("#drop").text
    asked.until(lambda: "2 documents added" in asked.text("#report"))
    assert {"a.txt", "b.txt"} <= {found.text.split("\n")[0] for found in asked.all(".document")}
    assert not asked.all("#drop")


def test_what_can_not_be_read_is_said_and_the_rest_is_read(page):
    Path("picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    Path("rules.txt").write_text(ROOF)
    page.add("picture.png", "rules.txt", to="papers")
    assert "1 document added" in page.text("#report")
    assert "picture.png" in page.text("#report li")


def test_odd_names_are_made_to_fit_and_what_never_does_keeps_back_nothing_else(page):
    Path("odd").mkdir()
    for name in ("Why: what?.txt", "con.txt", "rules.txt", "invoice\u202etxt.exe"):
        Path("odd", name).write_text(f"This is {name}.")
    page.add("odd", to="papers", by="folder")
    names = {found.text for found in page.all(".document bdi")}
    assert names == {"Why_ what_.txt", "rules.txt", "invoice_u202etxt.exe"}
    assert "odd/con.txt" in page.text("#report li")


def test_a_document_is_removed_once_that_is_confirmed(asked, home):
    kept = home / "collections" / "papers" / "uploads" / "rules.txt"
    assert kept.exists()
    asked.click("[aria-label='Remove rules.txt']")
    assert "rules.txt" in asked.wait("#confirm").text
    asked.click("#confirm [value=no]")
    assert len(asked.all(".document")) == 2
    asked.click("[aria-label='Remove rules.txt']")
    asked.click("#confirm-yes")
    asked.until(lambda: len(asked.all(".document")) == 1)
    assert asked.text("#report") == "Removed rules.txt."
    assert not kept.exists()


def test_documents_are_filtered(asked):
    asked.wait("#filter").send_keys("MINutes")
    assert [found.text for found in asked.all(".document bdi")] == ["minutes.pdf"]
    asked.wait("#filter").send_keys("x")
    assert "No document" in asked.text("#documents")


# Asking


def test_the_answer_comes_as_it_is_read_and_can_be_stopped(asked, monkeypatch):
    more = Event()

    def read(self, question, pieces, max_tokens, on_text, *rest):
        on_text("It begins ")
        more.wait(30)
        on_text("on Monday.")
        return "It begins on Monday."

    monkeypatch.setattr(LocalReader, "read", read)
    asked.wait("#question").send_keys("When?" + Keys.ENTER)
    answer = asked.until(lambda: next((one for one in asked.all(".answer") if one.text == "It begins"), None))
    assert answer.get_attribute("aria-live") == "polite"
    assert answer.get_attribute("aria-busy") == "true"
    more.set()
    asked.until(lambda: answer.text == "It begins on Monday." and answer.get_attribute("aria-busy") == "false")
    more.clear()
    asked.wait("#question").send_keys("And again?" + Keys.ENTER)
    asked.until(lambda: asked.all(".answer")[-1].text == "It begins")
    asked.click("#stop")
    asked.until(lambda: "Stopped." in asked.all(".turn")[-1].text and asked.find("#ask"))
    more.set()


def test_follow_ups_lean_on_what_was_asked_before_and_a_new_conversation_does_not(asked, monkeypatch):
    leaning = []
    ask = Conversation.ask

    def spied(self, *arguments, **options):
        leaning.append([turn.question for turn in self.turns])
        return ask(self, *arguments, **options)

    monkeypatch.setattr(Conversation, "ask", spied)
    asked.ask("And how long does it take?")
    asked.click("#begin-anew")
    assert not asked.all(".turn")
    asked.ask("Who closed the meeting?")
    assert leaning == [["When does the work on the roof begin?"], []]


def test_the_history_shows_earlier_answers_again(asked):
    answer = asked.text(".answer")
    asked.click("#begin-anew")
    asked.click("#show-history")
    asked.click(".entry")
    asked.until(lambda: asked.text(".answer") == answer)
    assert asked.text(".turn h2") == "When does the work on the roof begin?"
    next(found for found in asked.all(".found") if ROOF in found.text).click()
    asked.wait(".page .mark")


def test_only_a_part_of_the_documents_is_asked(asked):
    asked.click("#show-scope")
    asked.wait("#within").send_keys("*.txt")
    assert asked.text("#show-scope") == "Only *.txt"
    asked.ask("the roof", mode="search")
    names = {found.text.split(",")[0] for found in asked.all(".turn:last-child .found .name")}
    assert names == {"rules.txt"}
    asked.wait("#within").clear()
    asked.wait("#within").send_keys("nowhere/")
    asked.ask("the roof", mode="search")
    assert asked.text(".turn:last-child .problem")
    asked.click("#clear-scope")
    assert asked.text("#show-scope") == "Everywhere"


def test_an_explanation_has_numbers_that_lead_to_its_sources(asked, monkeypatch):
    monkeypatch.setattr(LocalReader, "read", lambda self, q, pieces, n, on_text, *rest: (on_text(ROOF), ROOF)[1])
    asked.ask("When?", mode="long")
    asked.click(".turn:last-child .reference")
    asked.wait(".page .mark")


# With the real model


@pytest.mark.real
def test_the_sentence_that_an_answer_was_read_from_is_marked(chromium):
    minutes("minutes.pdf")
    Path("rules.txt").write_text(
        "House rules\n\nNo dogs.\nThe key to the cellar hangs behind the clock.\nNo shouting.\n"
    )
    with served() as server:
        chromium.open(server.address)
        chromium.add("minutes.pdf", "rules.txt", to="papers")
        chromium.ask("When does the work on the roof begin?")
        assert "11 May 2026" in chromium.text(".answer")
        assert "11 May 2026" in chromium.text(".quote mark")
        chromium.click(".cite")
        chromium.wait(".page .mark")
        assert chromium.text("#source-place") == "page 2"
        chromium.ask("Where does the key to the cellar hang?")
        chromium.click(".turn:last-child .cite")
        chromium.until(lambda: chromium.text("#source-name") == "rules.txt")
        chromium.until(lambda: chromium.text("#source-body mark") == "The key to the cellar hangs behind the clock.")
        chromium.driver.get("about:blank")
