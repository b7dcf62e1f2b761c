"""Somebody at a browser: opens pages and sends the forms that are on them, nothing else."""

import html
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import requests

from notifyhub.console.tests.kit.forms import Form, read_forms

PATIENCE = 60.0


class Page:
    """What came back."""

    def __init__(self, answer: requests.Response) -> None:
        self.status = answer.status_code
        self.address = answer.url
        self.headers = answer.headers
        self.html = answer.text
        body = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", " ", answer.text)
        self.text = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))

    def form(self, *, field: str = "", action: str = "") -> Form:
        """Return the one form with this field, or whose address has this in it."""
        forms = read_forms(self.html, address=self.address)
        for form in forms:
            if (not field or field in form.offered) and action in form.action:
                return form
        raise AssertionError(
            f"{self.address} has no such form, only {[(f.action, [*f.offered]) for f in forms]}"
        )

    def links(self, part: str) -> list[str]:
        """Return the addresses on this page that have `part` in them."""
        found = re.findall(r'(?:href|hx-get)="([^"]+)"', self.html)
        return [urljoin(self.address, html.unescape(one)) for one in found if part in one]

    def link(self, part: str) -> str:
        """Return the first such address; fail when there is none."""
        found = self.links(part)
        assert found, f"{self.address} links to nothing like {part}"
        return found[0]


class Visitor:
    """A browser's memory: cookies, and where it is."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.session = requests.Session()
        # The machine's own proxy settings are not for an address of this machine.
        self.session.trust_env = False

    def open(self, address: str, status: int = 200) -> Page:
        """Look at a page."""
        page = Page(self._patiently(lambda: self.session.get(urljoin(self.root, address), timeout=PATIENCE)))
        assert page.status == status, f"{page.address}: {page.status} {page.text[:500]}"
        return page

    def send(self, form: Form, status: int = 200, files: Any = None, **typed: str | list[str]) -> Page:
        """Fill in a form and send it; follow where it leads."""
        address = urljoin(self.root, form.action)
        headers = {"Referer": self.root}
        if form.by_htmx:
            headers |= {"HX-Request": "true", "X-CSRFToken": self.session.cookies.get("csrftoken", "")}
        answer = self.session.post(
            address, data=form.filled(typed), files=files, headers=headers, timeout=PATIENCE
        )
        page = Page(answer)
        if "HX-Redirect" in page.headers:
            return self.open(page.headers["HX-Redirect"])
        assert page.status == status, f"{page.address}: {page.status} {page.text[:800]}"
        return page

    def look_until(self, address: str, seen: Callable[[Page], bool], what: str, seconds: float = 60) -> Page:
        """Look again and again until the page shows it."""
        until = time.monotonic() + seconds
        while not seen(page := self.open(address)):
            assert time.monotonic() < until, f"{what}: waited in vain at {page.address}: {page.text[-2500:]}"
            time.sleep(0.25)
        return page

    def _patiently(self, ask: Callable[[], requests.Response]) -> requests.Response:
        try:
            return ask()
        except requests.ConnectionError:
            # A kept connection that a restart of the server closed.
            return ask()
