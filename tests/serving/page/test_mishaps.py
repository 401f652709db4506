"""Who may see the page, what goes wrong, and documents that mean harm."""

from pathlib import Path

from selenium.webdriver.common.keys import Keys

from infinidoc.reading.collection import Collection
from tests.serving.conftest import served
from tests.serving.page.papers import ROOF, minutes


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
