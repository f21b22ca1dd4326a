"""A real browser over a page: the system's Chromium, driven by selenium without a network."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
PATIENCE = 60
"""Seconds that a busy machine has for what takes a browser some milliseconds."""


@contextmanager
def started(profile: Path) -> Iterator[Chrome]:
    """A browser with an empty profile; the test is skipped where there is none."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


class Tab:
    """A page in a browser, as a person meets it."""

    def __init__(self, chrome: Chrome, page: Path) -> None:
        self.chrome, self._page = chrome, page

    def open(
        self, address: str = "", width: int = 1280, dark: bool = False, still: bool = True
    ) -> None:
        """Load it anew, as wide as that in CSS pixels; `still` people asked for no motion."""
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
        wishes = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if still else "no-preference",
        }
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.chrome.get("about:blank")
        self.chrome.get(f"file://{self._page}{address}")

    def __call__(self, script: str, *arguments: object) -> object:
        """What a script's body returns."""
        return self.chrome.execute_script(script, *arguments)

    def texts(self, selector: str) -> list[str]:
        """What one reads of the elements, those out of view too."""
        return [each.text for each in self.chrome.find_elements(By.CSS_SELECTOR, selector)]

    def click(self, selector: str) -> None:
        self.chrome.find_element(By.CSS_SELECTOR, selector).click()

    def type(self, *keys: str) -> None:
        """Press keys on what has the focus."""
        self.chrome.switch_to.active_element.send_keys(*keys)

    def wait(self, script: str) -> None:
        """Until an expression holds."""
        WebDriverWait(self.chrome, PATIENCE).until(lambda _: self(f"return {script}"), script)

    def ask(self, words: str) -> str:
        """Type into the box and search; what the page says."""
        self("document.getElementById('words').value = arguments[0]", words)
        self("document.getElementById('said').textContent = ''")
        self.click("#ask button:not([type])")
        self.wait("document.getElementById('said').textContent")
        return self.texts("#said")[0]
