"""The web page, in a real Chromium: files go in, questions are asked, and the source is shown in place."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas
from selenium.webdriver.common.keys import Keys

from infinidoc.reading.collection import Collection
from infinidoc.reading.conversation import Conversation
from infinidoc.reading.readers.local import LocalReader
from tests.serving import browser
from tests.serving.conftest import served

ROOF = "The work on the roof begins on Monday, 11 May 2026."


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser.Page]:
    if not browser.is_there():
        pytest.skip(browser.MISSING)
    with browser.chromium() as page:
        yield page


@pytest.fixture
def page(chromium, lenient) -> Iterator[browser.Page]:
    """The page of a server that has no collection yet."""
    with served() as server:
        chromium.server = server
        chromium.problems()
        chromium.open(server.address)
        yield chromium
        assert chromium.problems() == []
        chromium.driver.get("about:blank")  # lets the server's connections go


@pytest.fixture
def asked(page):
    """The page, with a collection of one PDF and one text, and a question that was answered."""
    minutes("minutes.pdf")
    Path("rules.txt").write_text("House rules\n\nNo dogs.\n")
    page.add("minutes.pdf", "rules.txt", to="papers")
    page.ask("When does the work on the roof begin?")
    return page


def minutes(name):
    canvas = Canvas(name, pagesize=A4)
    for text in ("Minutes of February.", ROOF, "The meeting closed at nine."):
        canvas.drawString(72, 600, text)
        canvas.showPage()
    canvas.save()


def overflows(page):
    """By how many pixels something is wider than its room: the window, or a part of the page that scrolls."""
    return page.js("""
        const parts = [document.documentElement, ...document.querySelectorAll(".talk, .shelf, .source-body, dialog")];
        return Math.max(...parts.map((part) => part.scrollWidth - part.clientWidth));
    """)


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


# Who may, and what goes wrong


def test_the_token_is_asked_for_and_taken_from_the_address(chromium, lenient):
    with Collection.open("ships") as collection:
        Path("log.txt").write_text("The Amalia carries salt.")
        collection.ingest(["log.txt"])
    with served(token="open-sesame") as server:
        chromium.driver.get(server.address)
        chromium.wait("#token-value").send_keys("open-sesame" + Keys.ENTER)
        chromium.until(lambda: chromium.text(".document"))
    with served(token="open-sesame") as server:
        chromium.open(f"{server.address}/#token=open-sesame")
        chromium.until(lambda: chromium.text(".document"))
        assert "sesame" not in chromium.driver.current_url
        chromium.click(".document")
        chromium.wait(".line")
        chromium.driver.get("about:blank")
    chromium.problems()  # the first 401


def test_a_server_that_has_gone_is_told_of(chromium, lenient):
    Path("log.txt").write_text("The Amalia carries salt.")
    with served() as server:
        chromium.open(server.address)
        chromium.add("log.txt", to="ships")
    chromium.ask("Which ship?")
    assert "can't be reached" in chromium.text(".problem")
    chromium.problems()


def test_a_damaged_collection_is_told_of_and_another_one_can_be_chosen(chromium, lenient, home):
    Path("log.txt").write_text("The Amalia carries salt.")
    for name in ("broken", "ships"):
        with Collection.open(name) as collection:
            collection.ingest(["log.txt"])
    (home / "collections" / "broken" / "manifest.sqlite").write_bytes(b"nothing that SQLite knows" * 400)
    with served() as server:
        chromium.open(server.address)
        chromium.until(lambda: "broken" in chromium.text("#facts.problem"))
        chromium.wait("#collection").send_keys("ships")
        chromium.until(lambda: chromium.text(".document bdi") == "log.txt")
        chromium.driver.get("about:blank")


def test_a_file_that_has_changed_since_it_was_read_is_shown_as_it_was_read(page):
    minutes("minutes.pdf")
    with Collection.open("papers") as collection:
        collection.ingest(["minutes.pdf"])
    Path("minutes.pdf").write_bytes(b"something else")
    page.open(page.server.address)
    page.ask("When does the work begin?", mode="search")
    next(found for found in page.all(".found") if ROOF in found.text).click()
    assert "has changed" in page.wait("#source-note").text
    page.until(lambda: ROOF in page.text("#source-body mark"))


EVIL = "<img src=x onerror='window.evil=1'><script>window.evil=2</script><b id=evil>bold</b>"


def test_what_documents_say_and_are_called_never_becomes_markup(page):
    names = ["<img src=x onerror='window.evil=3'>.txt", "invoice\u202etxt.exe", "a\x07bell\x1b[31m.txt", "ünï.txt"]
    Path("evil").mkdir()
    for name in names:
        Path("evil", name).write_text(f"{EVIL} {name}")
    with Collection.open("papers") as collection:
        collection.ingest(["evil"])
    page.open(page.server.address)
    page.ask(EVIL)
    page.ask(EVIL, mode="long")
    page.ask(EVIL, mode="search")
    for number in range(len(page.all(".document"))):
        page.all(".document")[number].click()
        page.until(lambda: EVIL in page.text("#source-body"))
    page.all(".turn:last-child .found")[0].click()
    page.until(lambda: EVIL in page.text("#source-body"))
    page.click("#hide-source")
    page.click("#show-history")
    page.until(lambda: EVIL in page.text("#entries"))
    page.press(Keys.ESCAPE)
    page.all(".remove")[0].click()
    page.wait("#confirm")
    assert page.js("return window.evil") is None
    assert page.js("return [...document.querySelectorAll('img, script, #evil')].length") == 2  # the page's own
    shown = page.text("#documents")
    assert "<img src=x onerror='window.evil=3'>.txt" in shown
    assert "invoice\\u202etxt.exe" in shown
    assert "\u202e" not in shown


# For everybody


# Whether an element, or what stands for it, is seen to have the focus.
RING = """
const seen = (element) => {
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return outlineStyle !== "none" && outlineWidth !== "0px";
};
const [at] = arguments;
return seen(at) || seen(at.nextElementSibling ?? at) || seen(at.parentElement);
"""


def focused(page):
    return page.driver.switch_to.active_element


def test_all_of_it_works_by_keyboard(page):
    Path("rules.txt").write_text(ROOF)
    page.add("rules.txt", to="papers")
    page.js("document.activeElement.blur()")
    page.press("/")
    assert focused(page).get_attribute("id") == "question"
    page.press("When does the work begin?", Keys.ENTER)
    page.until(lambda: page.all(".times") and page.find("#ask"))
    reached, unseen = set(), set()
    page.js("document.querySelector('.skip').focus()")
    while (now := focused(page)).tag_name != "body":
        names = (now.get_attribute(name) for name in ("id", "aria-label", "value", "class"))
        reached.add(name := next(filter(None, names)))
        if not page.js(RING, now):
            unseen.add(name)
        page.press(Keys.TAB)
    assert unseen == set()
    wanted = {"show-history", "begin-anew", "collection", "add-files", "add-folder", "document", "Remove rules.txt"}
    assert wanted | {"question", "ask", "show-scope", "found"} <= reached
    page.js("document.querySelector('.found').focus()")
    page.press(Keys.ENTER)
    page.wait("#source-body mark")
    assert focused(page).get_attribute("id") == "source-body"
    page.press(Keys.ESCAPE)
    assert not page.all("#source")
    assert focused(page).get_attribute("class") == "found"


def test_a_removal_by_keyboard_leaves_the_focus_near(asked):
    asked.js("document.querySelector('[aria-label=\"Remove minutes.pdf\"]').focus()")
    asked.press(Keys.ENTER)
    asked.wait("#confirm")
    asked.press(Keys.ESCAPE)
    assert len(asked.all(".document")) == 2
    assert focused(asked).get_attribute("aria-label") == "Remove minutes.pdf"
    asked.press(Keys.ENTER, Keys.TAB, Keys.ENTER)
    asked.until(lambda: len(asked.all(".document")) == 1)
    asked.until(lambda: focused(asked).get_attribute("class") == "document")


def test_a_narrow_screen_needs_no_scrolling_sideways(page):
    Path(f"{'long' * 40}.txt").write_text(f"{'endless' * 300} {ROOF}")
    minutes("minutes.pdf")
    page.add(f"{'long' * 40}.txt", "minutes.pdf", to="papers")
    page.ask("word" * 200)
    page.resize(360, 740)
    assert not page.all("#shelf")
    assert overflows(page) == 0
    page.all(".found")[0].click()
    page.wait("#source-body mark, .page .mark")
    assert overflows(page) == 0
    assert page.wait("#source").rect["width"] == 360
    page.click("#hide-source")
    page.click("#show-shelf")
    assert page.wait(".document")
    assert overflows(page) == 0
    page.press(Keys.ESCAPE)
    assert not page.all("#shelf")
    page.click("#show-scope")
    page.click("#show-history")
    page.wait("#entries")
    assert overflows(page) == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 360])
def test_axe_finds_nothing_that_keeps_people_out(chromium, lenient, dark, width):
    source = (Path(pytest.importorskip("axe_core_python").__file__).parent / "axe.min.js").read_text()
    minutes("minutes.pdf")
    Path("rules.txt").write_text(ROOF)
    with Collection.open("papers") as collection:
        collection.ingest(["minutes.pdf", "rules.txt"])
    with served() as server:
        chromium.open(server.address, width, 800, dark)
        chromium.js(source)

        def violations():
            found = chromium.driver.execute_async_script(
                "axe.run({resultTypes: ['violations']}).then((found) => arguments[0](found.violations))"
            )
            return [(one["id"], node["html"][:200]) for one in found for node in one["nodes"]]

        assert violations() == []
        chromium.ask("When does the work begin?")
        assert violations() == []
        next(found for found in chromium.all(".found") if "minutes.pdf" in found.text).click()
        chromium.wait(".page .mark")
        assert violations() == []
        chromium.click("#as-text")
        chromium.wait("#source-body mark")
        assert violations() == []
        chromium.press(Keys.ESCAPE)
        chromium.click("#show-scope")
        chromium.ask("roof", mode="search")
        assert violations() == []
        chromium.click("#show-history")
        chromium.wait(".entry")
        assert violations() == []
        chromium.press(Keys.ESCAPE)
        if width == 360:
            chromium.click("#show-shelf")
        chromium.js("document.querySelector('.remove').click()")
        chromium.wait("#confirm")
        assert violations() == []
        chromium.driver.get("about:blank")


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
