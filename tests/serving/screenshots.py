"""The pictures of the page in docs/, made anew: `make demo && python -m tests.serving.screenshots`."""

import io
import sys
from pathlib import Path

from PIL import Image

from tests.serving.conftest import served
from tests.serving.page.browser import Page, chromium

DOCS = Path(__file__).parents[2] / "docs"
COLOURS = 256


def main(collection: str = "demo") -> None:
    with served(only=[collection]) as server, chromium() as page:
        for name, dark in (("page", False), ("page-dark", True)):
            page.open(server.address, 1280, 800, dark)
            page.ask("What is the highest point of Belize?")
            page.click(".cite")
            page.wait(".page .mark")
            save(page, name)
        page.open(server.address, 390, 780)
        page.ask("When does the work on the roof begin?")
        save(page, "page-narrow-answer")
        page.click(".cite")
        page.wait("#source-body mark")
        save(page, "page-narrow-source")
        page.driver.get("about:blank")


def save(page: Page, name: str) -> None:
    page.js("document.activeElement.blur()")
    picture = Image.open(io.BytesIO(page.driver.get_screenshot_as_png())).convert("RGB")
    small = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(DOCS / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
