"""From an empty machine to a settled complaint, by the doors that people use, with a kill -9 in the middle.

Everything here runs as ./run starts it; the mails go to a server of their own, which outlives the kill.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from notifyhub.console.tests.kit.house import House, open_house
from notifyhub.console.tests.kit.marketing import (
    import_customers,
    launch,
    let_send_at_any_hour,
    make_topic,
    prepare_campaign,
    publish_template,
    reconciliation,
)
from notifyhub.console.tests.kit.visitor import Page
from notifyhub.messaging.models import Delivery
from notifyhub.supervise.tests.running import wait_for

pytestmark = pytest.mark.processes

PEOPLE = 3_000
BAD = 30
FEW = 8
WINDOW = 100
MESSAGES_FROM_US = 6
CITIES = ("成都市", "杭州市", "武汉市")
SMALL_CITY = "泉州市"
FIRST, SECOND = "Autumn noodles", "Quanzhou only"


@dataclass
class Sent:
    """A campaign that outlived a kill."""

    killed: int
    accepted_before: int
    run_page: Page


def phone_of(n: int) -> str:
    return f"138{n:08d}"


def spelled(n: int) -> str:
    """The phone number of a customer in one of the ways people write it."""
    plain = phone_of(n)
    wide = plain.translate({ord("0") + digit: ord("０") + digit for digit in range(10)})
    return (plain, f"+86 {plain}", f"{plain[:3]}-{plain[3:7]}-{plain[7:]}", wide)[n % 4]


def customers_file() -> bytes:
    """A file as somebody's old system writes it: GB18030, semicolons, bad rows among the good ones."""
    lines = ["会员号;姓名;手机号码;电子邮箱;所在城市;备注"]
    for n in range(PEOPLE):
        city = SMALL_CITY if n < FEW else CITIES[n % len(CITIES)]
        lines.append(f"P{n};客户{n};{spelled(n)};p{n}@mail.example;{city};老客户 {n % 7}")
        if n % (PEOPLE // BAD) == 50:
            lines.append(f"X{n};坏行{n};12;no mailbox at all;{city};")
    return "\r\n".join(lines).encode("gb18030")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture(scope="module")
def imported(house: House) -> Page:
    """The result of the import, once there is an account for mail and a topic to agree to."""
    values = ("host=127.0.0.1", f"port={house.sink_port}", "security=none", "from_email=hello@shop.example")
    pairs = [word for value in values for word in ("--set", value)]
    house.manage("configure_provider", "email", "smtp", "--name", "Sink", *pairs)
    make_topic(house.visitor, code="deals", name="特惠")
    let_send_at_any_hour(house.visitor)
    content = customers_file()
    return import_customers(house.visitor, content=content, name="老会员.csv", topic="deals")


@pytest.fixture(scope="module")
def sent(house: House, imported: Page) -> Sent:
    """The first campaign: launched, killed with everything else in the middle, ended by the next start."""
    publish_template(
        house.visitor,
        name="Noodles",
        subject="{{ customer.name }}，秋季面馆特惠",
        body="<h1>{{ customer.name }}，您好</h1><p>{{ customer.city }}的面馆本周半价。</p>",
    )
    numbers = prepare_campaign(house.visitor, name=FIRST, template="Noodles", kind="all")
    assert f"{PEOPLE:,} of {PEOPLE:,} add up" in numbers.text
    run = launch(house.visitor, numbers)
    wait_for(lambda: len(house.mails()) > PEOPLE // 4, "a quarter of the mails")
    killed = house.kill_everything()
    before = len(house.mails())
    house.start_again()
    page = house.visitor.look_until(run, lambda page: "Ended" in page.text, "the end of the campaign")
    return Sent(killed=killed, accepted_before=before, run_page=page)


def test_a_file_of_another_house_goes_in_and_its_bad_rows_are_named(house: House, imported: Page) -> None:
    counts = dict(re.findall(r"(Created|Not taken|Consents recorded) ([\d,]+)", imported.text))
    assert counts == {"Created": f"{PEOPLE:,}", "Not taken": str(BAD), "Consents recorded": f"{PEOPLE:,}"}
    problems = house.visitor.open(imported.link("/problems/")).html.strip().splitlines()
    assert len(problems) == 1 + BAD
    assert "This is not a phone number." in problems[1]


def test_no_mail_is_lost_and_none_is_doubled_when_everything_is_killed(house: House, sent: Sent) -> None:
    assert sent.killed >= 8
    assert PEOPLE // 4 < sent.accepted_before < PEOPLE
    ledger = house.ledger(FIRST)
    assert len(ledger) == PEOPLE
    mails = [mail for mail in house.mails() if mail.message_id.partition("@")[0] in ledger]

    # No mail twice, and each to the mailbox of the customer whom the ledger names.
    assert max(Counter(mail.message_id for mail in mails).values()) == 1
    assert max(Counter(mail.recipient for mail in mails).values()) == 1
    arrived = {mail.message_id.partition("@")[0]: mail.recipient for mail in mails}
    wrong = {
        name: mailbox
        for name, mailbox in arrived.items()
        if mailbox != f"{ledger[name][0].lower()}@mail.example"
    }
    assert wrong == {}

    # None lost: what the ledger calls handed over has arrived; only the open window may be in doubt.
    states = Counter(state for _customer, state in ledger.values())
    assert set(states) <= {Delivery.State.SENT, Delivery.State.UNKNOWN}
    assert states[Delivery.State.UNKNOWN] <= WINDOW
    handed_over = {name for name, (_customer, state) in ledger.items() if state == Delivery.State.SENT}
    assert handed_over <= set(arrived)
    assert len(arrived) >= PEOPLE - WINDOW


def test_the_page_of_the_run_says_what_the_ledger_says(house: House, sent: Sent) -> None:
    states = Counter(state for _customer, state in house.ledger(FIRST).values())
    shown = reconciliation(sent.run_page)
    assert shown["planned"] == PEOPLE
    assert shown["sent"] == states[Delivery.State.SENT]
    assert shown.get("unknown", 0) == states[Delivery.State.UNKNOWN]
    assert "It adds up." in sent.run_page.text


def test_a_complaint_by_phone_finds_the_mail_and_gets_an_answer(house: House, sent: Sent) -> None:
    visitor = house.visitor
    n = int(re.sub(r"\D", "", house.mails()[100].recipient))
    search = visitor.open("/admin/customers/customer/").form(field="term")
    plain = phone_of(n)
    customer = visitor.send(search, term=f"+86 {plain[:3]} {plain[3:7]} {plain[7:]}")
    assert f"客户{n}" in customer.text
    assert plain not in customer.html

    panels = [visitor.open(address) for address in customer.links("/panel/")]
    message = visitor.open(next(panel for panel in panels if panel.links("/messaging/delivery/")).link("/m"))
    assert FIRST in message.text
    assert "250" in message.text

    log = visitor.open(customer.link("/feedback/case/add/")).form(field="summary")
    case = visitor.send(
        log,
        phone=plain,
        category=log.offered["category"][MESSAGES_FROM_US],
        summary="The half price of the mail was not given",
        customer=log.offered["customer"][0] if "customer" in log.offered else "",
    )
    assert f"客户{n}" in visitor.open(case.address.replace("/change/", "/customer/")).text

    before = len(house.mails())
    case = visitor.send(
        case.form(action="/send/"), mode="reply", channel="email", body="抱歉，差价今天退给您。"
    )
    wait_for(lambda: len(house.mails()) > before, "the answer")
    answer = house.mails()[before]
    assert answer.recipient == f"p{n}@mail.example"
    assert "差价今天退给您" in house.mail(answer.message_id).get_body(("plain", "html")).get_content()
    case = visitor.look_until(
        case.address, lambda page: "Handed over" in page.text, "the state of the answer"
    )
    assert "Queued" not in case.text

    done = visitor.send(
        case.form(action="/resolve/"), decision="upheld", resolution_code="refunded", root_cause="promotion"
    )
    assert "Resolved" in done.text
    assert len(house.mails()) == before + 1


def test_who_unsubscribes_by_the_link_is_left_out_of_the_next_campaign(house: House, sent: Sent) -> None:
    visitor = house.visitor
    first = next(mail for mail in house.mails() if mail.recipient == "p3@mail.example")
    mail = house.mail(first.message_id)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(mail["List-Unsubscribe"]).strip("<>")
    assert link.startswith(visitor.root)

    for _twice in range(2):
        asked = visitor.open(link)
        assert "Stop these messages?" in asked.text
    done = visitor.send(asked.form(field="act"))
    assert "You are unsubscribed" in done.text

    body = "<p>{{ customer.name }}，来看看。</p>"
    publish_template(visitor, name="Quanzhou", subject="泉州新店", body=body)
    numbers = prepare_campaign(
        visitor, name=SECOND, template="Quanzhou", kind="city", city_values=[SMALL_CITY]
    )
    assert f"{FEW} of {FEW} add up" in numbers.text
    before = len(house.mails())
    run = launch(visitor, numbers)
    page = visitor.look_until(run, lambda page: "Ended" in page.text, "the end of the second campaign")
    assert "Opted out" in page.text
    states = dict(house.ledger(SECOND).values())
    assert states.pop("P3") == Delivery.State.SKIPPED
    assert set(states.values()) == {Delivery.State.SENT}
    wanted = sorted(f"p{n}@mail.example" for n in range(FEW) if n != 3)
    assert sorted(mail.recipient for mail in house.mails()[before:]) == wanted


def test_the_house_is_well_and_its_trail_unbroken(house: House, sent: Sent) -> None:
    report = json.loads(house.manage("doctor", "--json"))
    assert report["ok"], report
    # A mail stays in doubt after the kills before, and next year's holidays are known only when they are.
    watched = report["checks"].keys() - {"unknown", "calendar"}
    assert {report["checks"][name]["level"] for name in watched} <= {"ok"}, report
    assert re.match(r"\d+ entries hold", house.manage("verify_audit"))
