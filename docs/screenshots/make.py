"""Make the screenshots of the documentation from a running demo.

Start `./run`, then: .venv/bin/python docs/screenshots/make.py [http://localhost:8000]
Needs the development requirements and Chromium (Debian: apt-get install chromium fonts-noto-cjk).
"""

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

BASE = sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://localhost:8000"
HERE = Path(__file__).parent
PASSWORD = "notifyhub-demo"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]

# name, who looks, language, width, dark, what to open: a path, or a function of the page
SHOTS = [
    ("marketing", "linxia", "zh-hans", 1440, False, "/admin/"),
    ("service", "zhouning", "zh-hans", 1440, False, "/admin/"),
    ("queue", "zhouning", "zh-hans", 1440, False, "/admin/feedback/case/?view=all"),
    ("case", "zhouning", "zh-hans", 1440, False, lambda page: first(page, "/admin/feedback/case/")),
    ("case-dark", "zhouning", "en", 1440, True, lambda page: first(page, "/admin/feedback/case/")),
    (
        "campaign",
        "linxia",
        "en",
        1440,
        False,
        lambda page: first(page, "/admin/campaigns/campaign/?all="),
    ),
    ("customer", "zhouning", "en", 1440, False, lambda page: first(page, "/admin/customers/customer/")),
    ("schedules", "linxia", "zh-hans", 1440, False, "/admin/reminders/reminderrule/schedules/"),
    ("rule", "linxia", "en", 1440, False, lambda page: first(page, "/admin/reminders/reminderrule/")),
    ("alert", "zhouning", "zh-hans", 1440, False, lambda page: first(page, "/admin/customers/alert/")),
    ("operations", "sunhao", "en", 1440, False, "/admin/operations/"),
    ("phone", "zhouning", "zh-hans", 390, False, "/admin/feedback/case/?view=all"),
]


def first(page: Page, path: str) -> None:
    """Open the first row of a list."""
    page.goto(BASE + path)
    page.wait_for_load_state("networkidle")
    links = page.locator("#content a").evaluate_all("all => all.map(one => one.getAttribute('href') || '')")
    row = re.compile(re.escape(path.partition("?")[0]) + r"\d+/")
    page.goto(BASE + next((link for link in links if row.match(link)), path))


def main() -> None:
    """Write one PNG per shot beside this file."""
    browser_path = (
        shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
        for name, person, language, width, dark, target in SHOTS:
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
            )
            context.add_cookies([{"name": "django_language", "value": language, "url": BASE}])
            page = context.new_page()
            page.goto(f"{BASE}/admin/login/?next=/admin/")
            page.fill("[name=username]", person)
            page.fill("[name=password]", PASSWORD)
            page.click("button[type=submit]")
            page.wait_for_load_state("networkidle")
            if callable(target):
                target(page)
            else:
                page.goto(BASE + target)
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(600)
            page.screenshot(path=str(HERE / f"{name}.png"))
            sys.stdout.write(f"{name}.png\n")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
