"""The page by keyboard, on a narrow screen, and for who can't see it."""

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from infinidoc.reading.collection import Collection
from tests.serving.conftest import served
from tests.serving.page.papers import ROOF, minutes


def overflows(page):
    """By how many pixels something is wider than its room: the window, or a part of the page that scrolls."""
    return page.js("""
        const parts = [document.documentElement, ...document.querySelectorAll(".talk, .shelf, .source-body, dialog")];
        return Math.max(...parts.map((part) => part.scrollWidth - part.clientWidth));
    """)


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
