"""What marketing does at its pages, form by form."""

import re
from urllib.parse import urlsplit

from notifyhub.console.tests.kit.visitor import Page, Visitor

ADMIN = "/admin"
TYPED_NUMBER = re.compile(r'data-expect="(\d+)"')


def make_topic(visitor: Visitor, *, code: str, name: str) -> None:
    """Add a promotional topic."""
    form = visitor.open(f"{ADMIN}/customers/topic/add/").form(field="message_class")
    done = visitor.send(
        form, code=code, name=name, name_zh=name, message_class="promotional", legal_basis="consent"
    )
    assert done.address.endswith("/customers/topic/"), done.text[-1500:]


def let_send_at_any_hour(visitor: Visitor) -> None:
    """Take the quiet hours out of the policy of promotions: a test is run when it is run."""
    policies = visitor.open(f"{ADMIN}/messaging/sendingpolicy/")
    for address in dict.fromkeys(policies.links("/change/")):
        page = visitor.open(address)
        if "Promotional" in page.text and 'name="quiet_from"' in page.html:
            done = visitor.send(page.form(field="quiet_from"), quiet_from="", quiet_until="")
            assert done.address.endswith("/sendingpolicy/"), done.text[-1500:]
            return
    raise AssertionError("There is no policy with quiet hours for promotions.")


def import_customers(visitor: Visitor, *, content: bytes, name: str, topic: str) -> Page:
    """Upload, map, say the consent, start; return the result once the job has ended."""
    upload = visitor.open(f"{ADMIN}/customers/customer/import/").form(field="file")
    columns = visitor.send(upload, files={"file": (name, content, "text/csv")})
    consent = visitor.send(columns.form(field="column-0"), do="next")
    confirm = visitor.send(
        consent.form(field="decision"),
        decision="agreed",
        topics=[topic],
        channels=["email"],
        source="shop counter",
        given_on="2026-01-01",
        proof="box 7, shelf 2",
    )
    result = visitor.send(confirm.form(action=confirm.address))
    return visitor.look_until(result.address, lambda page: "Import another file" in page.text, "the import")


def publish_template(visitor: Visitor, *, name: str, subject: str, body: str) -> None:
    """Create a template for mail in Chinese on the only topic, write it in the studio and publish it."""
    new = visitor.open(f"{ADMIN}/messaging/template/add/").form(field="message_class")
    studio = visitor.send(
        new,
        name=name,
        message_class="promotional",
        topic=new.offered["topic"][-1],
        channel="email",
        language="zh-hans",
    )
    home = studio.address
    visitor.send(studio.form(field="body"), subject=subject, body=body)
    studio = visitor.open(home)
    done = visitor.send(studio.form(action="/publish/"), note="first")
    assert "v1 is live" in done.text, done.text[-1500:]


def prepare_campaign(visitor: Visitor, *, name: str, template: str, **audience: str | list[str]) -> Page:
    """Create a campaign, fill in its tabs; return the numbers of its pre-flight."""
    add = visitor.open(f"{ADMIN}/campaigns/campaign/add/").form(field="name")
    page = visitor.send(add, name=name)
    visitor.send(page.form(field="kind"), **audience)
    page = visitor.open(page.link("/content/"))
    chosen = re.search(rf'name="template" value="(\d+)"(?:(?!name="template").)*?{template}', page.html, re.S)
    assert chosen, page.text
    visitor.send(page.form(field="template"), template=chosen.group(1))
    preflight = visitor.open(page.link("/preflight/"))
    return visitor.open(preflight.link("/preflight/numbers/"))


def launch(visitor: Visitor, numbers: Page) -> str:
    """Launch from the pre-flight, typing the number where it is asked for; return the run's address."""
    form = numbers.form(action="/launch/")
    number = TYPED_NUMBER.search(numbers.html)
    run = visitor.send(form, **({"confirmed": number.group(1)} if number else {}))
    assert urlsplit(run.address).path.endswith("/run/"), run.text[:1500]
    return run.address


def reconciliation(page: Page) -> dict[str, int]:
    """Return the lines of messages in the run's certificate by state, `planned` as their sum was promised."""
    card = page.html.partition("cp-cert")[2].partition("</dl>")[0]
    lines = re.findall(r'state=(\w+)">.*?<dd[^>]*>([\d,]+)</dd>', card, re.S)
    planned = re.search(r"<dd[^>]*>([\d,]+)</dd>", card)
    assert planned, page.text
    return {name: _number(count) for name, count in [*lines, ("planned", planned.group(1))]}


def _number(text: str) -> int:
    return int(text.replace(",", ""))
