"""A real browser, and what is wrong with the page it shows."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE, NARROW = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}
#: What a template or a script leaves behind where a word should be.
LEFTOVERS = re.compile(r"\{%|%\}|\[object|\bNone\b|\bundefined\b|\bNaN\b|\(\w+\)s\b|%s\b")


def chromium() -> str:
    """Return the path of Chromium; fail with what to do when there is none."""
    named = os.environ.get("CHROMIUM", "")
    for name in (named, "chromium", "chromium-browser", "google-chrome"):
        if name and (path := shutil.which(name)):
            return path
    pytest.fail("Chromium is missing: apt-get install chromium, or set CHROMIUM to its path.", pytrace=False)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium; end it afterwards."""
    path = chromium()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Eye:
    """Looks at pages as one person, and remembers what was wrong with each."""

    def __init__(self, browser: Browser, root: str, *, session: str, language: str) -> None:
        self.root = root
        self.language = language
        cookies = {"sessionid": session, "django_language": language}
        self.context: BrowserContext = browser.new_context(viewport=WIDE, reduced_motion="reduce")
        self.context.add_cookies(
            [{"name": name, "value": value, "url": root} for name, value in cookies.items()]
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        # Chromium tells violations of the content security policy here too.
        self.page.on("console", lambda line: self._hear(line.type, line.text))
        self.page.on("response", self._check)

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error":
            self.wrong.append(f"console: {text}")

    def _check(self, response: Response) -> None:
        if response.status >= 400:
            self.wrong.append(f"{response.status} {response.url.removeprefix(self.root)}")

    def look(self, address: str) -> list[str]:
        """Open a page wide, then make the window narrow; return what is wrong with it."""
        self.wrong = []
        self.page.set_viewport_size(WIDE)
        self.page.goto(self.root + address)
        self.settle()
        self._read()
        self._measure("1440")
        self.page.set_viewport_size(NARROW)
        self._measure("390")
        return [f"{address}: {one}" for one in self.wrong]

    def barriers(self, address: str) -> list[str]:
        """Open a page; return what keeps people with a disability from using it, as far as axe sees."""
        self.page.set_viewport_size(WIDE)
        self.page.goto(self.root + address)
        self.settle()
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response["violations"]
        return [
            f"{address}: {one['id']} at {[node['target'] for node in one['nodes'][:4]]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    def settle(self) -> None:
        """Return once the parts that load by themselves are there."""
        self.page.wait_for_function("!document.querySelector('.htmx-request')")

    def _read(self) -> None:
        found = self.page.evaluate("[location.pathname, document.documentElement.lang]")
        if "/login/" in found[0] or found[1].lower() != self.language:
            self.wrong.append(f"is {found}")
        shown = self.page.inner_text("body")
        self.wrong += [
            f"shows {shown[max(0, found.start() - 40) : found.end() + 40]!r}"
            for found in LEFTOVERS.finditer(shown)
        ]

    def _measure(self, width: str) -> None:
        over: Any = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        if over[0] > over[1]:
            self.wrong.append(f"is {over[0]} wide in a window of {width}")

    def close(self) -> None:
        """Close the window."""
        self.context.close()
