"""The web page in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.conftest import served
from tests.serving.page import browser
from tests.serving.page.papers import minutes


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
