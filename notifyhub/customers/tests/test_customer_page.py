from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifyhub.core.registry import Panel, customer_panels
from notifyhub.customers.models import Consent, Customer, Event, Hold, Order
from notifyhub.customers.services.privacy import erase_customer
from notifyhub.customers.services.suppressions import suppress_contact
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 1, tzinfo=UTC)
HTMX = {"HTTP_HX_REQUEST": "true"}


def url(customer: Customer, verb: str = "change") -> str:
    return f"/admin/customers/customer/{customer.pk}/{verb}/"


def fill(customer: Customer, count: int) -> None:
    for n in range(count):
        at = START + timedelta(hours=n)
        Order.objects.create(customer=customer, number=f"O-{customer.pk}-{n}", line="food", told_at=at)
        Event.objects.create(
            customer=customer,
            name=f"event_{n}",
            occurred_at=at,
            received_at=START,
            source="api",
            message_id=f"{n}",
        )
        opt_in(customer, make_topic(f"topic-{n}"), "sms")


def test_the_page_says_who_it_is_and_reveals_nothing(agent: Client) -> None:
    customer = make_customer(
        phone="13912345678", email="liu@mail.example", name="Liu", attributes={"级别": "金"}
    )
    page = agent.get(url(customer)).content.decode()
    for text in ("Liu", "139****5678", "l***@mail.example", "级别"):
        assert text in page
    assert "13912345678" not in page
    assert "liu@mail.example" not in page


def test_the_page_takes_as_many_queries_for_much_as_for_little(
    agent: Client, django_assert_max_num_queries: Any
) -> None:
    customer = make_customer()
    fill(customer, 30)
    agent.get(url(customer))
    with django_assert_max_num_queries(24):
        agent.get(url(customer))


def test_the_matrix_says_why_each_channel_may_or_may_not_be_used(agent: Client) -> None:
    customer = make_customer(phone="13912345678", email="liu@mail.example")
    deals = make_topic("deals")
    opt_in(customer, deals, "email")
    opt_in(customer, deals, "sms", decision="out")
    page = agent.get(url(customer)).content.decode()
    assert "May write" in page
    assert "Opted out on" in page
    assert "No contact point for this channel" in page
    suppress_contact(kind="email", raw="liu@mail.example", scope="promotional", note="")
    assert "Suppressed: Entered by staff" in agent.get(url(customer)).content.decode()


def test_the_timeline_comes_in_pages_by_key_and_by_tab(agent: Client) -> None:
    customer = make_customer()
    fill(customer, 14)
    first = agent.get(url(customer, "timeline")).content.decode()
    assert "Load older" in first
    older = first.split('hx-get="')[-1].split('"')[0].replace("&amp;", "&")
    second = agent.get(older).content.decode()
    assert "event_0" in second
    assert "event_13" not in second
    assert "event_1" not in agent.get(url(customer, "timeline") + "?kind=order").content.decode()
    for nonsense in ("?before=x", "?kind=x", "?before=2026-13-99T00:00", "?before=2026-01-01"):
        assert agent.get(url(customer, "timeline") + nonsense).status_code == 200


def test_revealing_asks_for_a_reason_and_is_never_cached(agent: Client) -> None:
    customer = make_customer(phone="13912345678")
    point = customer.contact_points.get(kind="phone")
    refused = agent.post(url(customer, "reveal"), {"contact": point.pk, "reason": ""}, **HTMX)
    assert refused.status_code == 422
    shown = agent.post(url(customer, "reveal"), {"contact": point.pk, "reason": "Call back"}, **HTMX)
    assert "+8613912345678" in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert (
        agent.post(url(customer, "reveal"), {"contact": point.pk, "reason": "Call back"}).status_code == 200
    )
    assert agent.get(url(customer, "reveal")).status_code == 405
    other = make_customer()
    assert (
        agent.post(url(other, "reveal"), {"contact": point.pk, "reason": "Call back"}, **HTMX).status_code
        == 422
    )
    assert AuditEntry.objects.filter(verb="reveal_contact").count() == 2


def test_consent_is_recorded_in_a_dialog_that_keeps_the_typed_text(agent: Client) -> None:
    customer, topic = make_customer(), make_topic()
    data = {
        "topic": topic.pk,
        "channel": "sms",
        "decision": "out",
        "source": "phone_call",
        "wording": "No more",
    }
    refused = agent.post(url(customer, "consent"), {**data, "given_at": "never"}, **HTMX)
    assert refused.status_code == 422
    assert "No more" in refused.content.decode()
    done = agent.post(url(customer, "consent"), {**data, "given_at": "2026-01-02T09:00"}, **HTMX)
    assert (done.status_code, done["HX-Redirect"]) == (204, url(customer))
    assert Consent.objects.get(customer=customer).decision == "out"
    assert "No more" in agent.get(url(customer, "consents")).content.decode()
    assert AuditEntry.objects.get(verb="record_consent").actor_kind == "staff"


def test_a_hold_is_placed_and_released_from_the_page(agent: Client) -> None:
    customer = make_customer()
    agent.post(url(customer, "hold"), {"scope": "promotions", "reason": "Open complaint"})
    hold = Hold.objects.get()
    assert "Promotions on hold" in agent.get(url(customer)).content.decode()
    refused = agent.post(url(customer, "hold"), {"scope": "subject", "reason": "x"}, **HTMX)
    assert "Name the order or bill" in refused.content.decode()
    agent.post(url(customer, "release"), {"hold": hold.pk, "reason": "Solved"})
    assert not Hold.objects.in_force(timezone.now()).exists()
    again = agent.post(url(customer, "release"), {"hold": hold.pk}, follow=True)
    assert "over already" in again.content.decode()


def test_a_contact_point_is_added_and_becomes_the_primary_one(agent: Client) -> None:
    customer = make_customer(phone="13900000001")
    assert agent.post(url(customer, "contact"), {"kind": "phone", "value": "12"}, **HTMX).status_code == 422
    agent.post(url(customer, "contact"), {"kind": "phone", "value": "139 0000 0002", "primary": "1"})
    assert customer.contact_points.get(kind="phone", primary=True).masked == "139****0002"


def test_a_merged_customers_page_leads_to_the_kept_one_which_offers_undo(client: Client) -> None:
    client.force_login(make_user("service_lead"))
    kept, merged = make_customer(name="Kept"), make_customer(name="Gone")
    page = client.get(f"{url(kept, 'merge')}?other={merged.pk}").content.decode()
    assert "Everything of Gone goes to Kept" in page
    client.post(url(kept, "merge"), {"other": merged.pk})
    assert client.get(url(merged))["Location"] == url(kept)
    page = client.get(url(kept)).content.decode()
    assert "Gone was merged into this customer" in page
    merge = kept.merges.get()
    client.post(f"/admin/customers/merge/{merge.pk}/undo/")
    assert client.get(url(merged)).status_code == 200


def test_an_erased_customer_is_a_skeleton() -> None:
    customer = make_customer(name="Liu")
    erase_customer(customer_id=customer.pk, reason="Asked by letter")
    client = Client()
    client.force_login(make_user("agent"))
    page = client.get(url(customer)).content.decode()
    assert "Erased on" in page
    assert "Liu" not in page


def test_erasing_asks_for_the_number_and_the_copy_is_a_file(client: Client) -> None:
    client.force_login(make_user("operations"))
    customer = make_customer(external_id="K-1", phone="13912345678")
    copy = client.post(url(customer, "copy"), {"reason": "Asked by letter"})
    assert "+8613912345678" in copy.content.decode()
    assert "no-store" in copy["Cache-Control"]
    assert client.post(url(customer, "copy"), {"reason": ""}).status_code == 302
    client.post(url(customer, "erase"), {"reason": "Asked by letter", "typed": "K-2"})
    customer.refresh_from_db()
    assert customer.state == "active"
    client.post(url(customer, "erase"), {"reason": "Asked by letter", "typed": "K-1"})
    customer.refresh_from_db()
    assert customer.state == "erased"


def test_panels_of_other_apps_load_alone_and_obey_their_permission(agent: Client) -> None:
    customer = make_customer(name="Liu")
    panel = Panel(
        title="Secret", render=lambda request, obj: f"<p>{obj}</p>", permission="customers.delete_customer"
    )
    open_panel = Panel(title="Open", render=lambda request, obj: f"<p>{obj}</p>")
    customer_panels.register("test-secret", panel)
    customer_panels.register("test-open", open_panel)
    try:
        page = agent.get(url(customer)).content.decode()
        assert "Open" in page
        assert "Secret" not in page
        assert agent.get(f"/admin/customers/customer/{customer.pk}/panel/test-open/").content == b"<p>Liu</p>"
        for name in ("test-secret", "nothing"):
            assert agent.get(f"/admin/customers/customer/{customer.pk}/panel/{name}/").status_code == 404
    finally:
        customer_panels._entries.pop("test-secret")
        customer_panels._entries.pop("test-open")


def test_a_customer_who_is_not_there_is_a_kind_answer(agent: Client) -> None:
    for path in ("999999/change/", "abc/change/", "9" * 30 + "/change/", "١/change/"):
        assert agent.get(f"/admin/customers/customer/{path}").status_code in (302, 404)
    assert agent.get("/admin/customers/customer/999999/timeline/").status_code == 404
    assert agent.post("/admin/customers/customer/999999/hold/", {}).status_code == 404
