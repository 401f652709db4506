"""A real Chromium at the page, driven as a person would."""

import shutil
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

MISSING = "no Chromium: apt-get install chromium chromium-driver"
WIDE = (1400, 900)
SECONDS = 20.0  # until what is waited for counts as never coming
SWITCHES = (
    *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "disable-dev-shm-usage"),
)


def is_there() -> bool:
    return bool(shutil.which("chromedriver") and (shutil.which("chromium") or shutil.which("google-chrome")))


class Page:
    """The page of a server, in a browser that nobody else uses meanwhile."""

    def __init__(self, driver: webdriver.Chrome):
        self.driver = driver

    def open(self, address: str, width: int = WIDE[0], height: int = WIDE[1], dark: bool = False) -> None:
        """A page that knows nothing of those before it."""
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get("about:blank")
        self.driver.get(address)
        self.until(lambda: self.js("return document.querySelectorAll('#collection option').length"))

    def resize(self, width: int, height: int) -> None:
        sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)

    def all(self, selector: str) -> list[WebElement]:
        """What of it can be seen."""
        return [found for found in self.driver.find_elements(By.CSS_SELECTOR, selector) if _is_seen(found)]

    def find(self, selector: str) -> WebElement | None:
        return next(iter(self.all(selector)), None)

    def wait(self, selector: str) -> WebElement:
        return self.until(lambda: self.find(selector))

    def until(self, condition: Callable[[], object]):
        """What it comes to, once that is something."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(0.05)
        raise TimeoutError(f"the page shows: {self.text('body')}")

    def text(self, selector: str) -> str:
        return "\n".join(found.text for found in self.all(selector))

    def click(self, selector: str) -> None:
        self.wait(selector).click()

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def js(self, script: str, *arguments: object):
        return self.driver.execute_script(script, *arguments)

    def add(self, *paths: Path, to: str = "", by: str = "files") -> None:
        """Adds files by the button's input; `to` is the name of a new collection, where one is asked for."""
        self.js("document.getElementById('report').replaceChildren()")
        self.driver.find_element(By.ID, by).send_keys("\n".join(str(Path(path).resolve()) for path in paths))
        if to:
            self.wait("#naming-name").send_keys(to + Keys.ENTER)
        self.until(lambda: self.text("#report"))

    def ask(self, question: str, mode: str = "short") -> WebElement:
        """The turn with the answer."""
        turns = len(self.all(".turn"))
        self.js("document.querySelector(`[name=mode][value=${arguments[0]}]`).click()", mode)
        self.wait("#question").send_keys(question + Keys.ENTER)
        self.until(lambda: len(self.all(".turn")) > turns and self.find("#ask"))
        return self.all(".turn")[-1]

    def problems(self) -> list[str]:
        """What the browser complained of, but for what the server refused: errors, scripts that aren't the page's."""
        said = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [message for message in said if "Failed to load resource" not in message]


def _is_seen(element: WebElement) -> bool:
    try:
        return element.is_displayed()
    except StaleElementReferenceException:  # it has just been replaced
        return False


@contextmanager
def chromium():
    """Raises what selenium raises if there is none."""
    with TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
        for switch in (*SWITCHES, f"user-data-dir={profile}"):
            options.add_argument(f"--{switch}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        try:
            page = Page(driver)
            page.resize(*WIDE)
            yield page
        finally:
            driver.quit()
