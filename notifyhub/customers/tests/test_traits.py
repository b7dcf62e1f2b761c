"""Portraits are renewed with news and once a day, follow merges and erasure, and stay readable."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.registry import personal_data
from notifyhub.customers.models import Customer, CustomerTrait, Order, TraitBlock, TraitSettings
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.services.events.following import MARGIN
from notifyhub.customers.services.events.own import record_own_event
from notifyhub.customers.services.merging import merge_customers, undo_merge
from notifyhub.customers.services.privacy import erase_customer
from notifyhub.customers.services.traits import follow_news, refresh_customers, refresh_due_blocks
from notifyhub.customers.services.traits.refreshing import lock_settings
from notifyhub.customers.services.traits.thresholds import update_thresholds
from notifyhub.customers.tests.factories import make_customer
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def order(customer: Customer, days: float, number: str, **fields: Any) -> Order:
    at = timezone.now() - timedelta(days=days)
    facts = {"line": "food", "state": "completed", "amount_paid": 100, "merchant": "M"}
    return Order.objects.create(
        customer=customer, number=number, placed_at=at, told_at=at, **{**facts, **fields}
    )


def known_since(customer: Customer, days: int) -> None:
    Customer.objects.filter(pk=customer.pk).update(created_at=timezone.now() - timedelta(days=days))


def trait(customer: Customer) -> CustomerTrait:
    return CustomerTrait.objects.get(pk=customer.pk)


def react(customer: Customer, delivery: int, *, channel: str = "push", days: float = 1) -> None:
    record_own_event(
        message_id=f"message:{delivery}:clicked",
        customer_id=customer.pk,
        name="message_clicked",
        occurred_at=timezone.now() - timedelta(days=days),
        properties={"channel": channel, "delivery": delivery},
    )


def test_everybody_is_computed_once_a_day_and_newcomers_at_once() -> None:
    first = make_customer()
    known_since(first, 400)
    assert refresh_due_blocks() == 1
    assert trait(first).stage == "lost"
    assert refresh_due_blocks() == 0
    second = make_customer()
    assert refresh_due_blocks() == 1
    assert trait(second).stage == "new"
    computed = trait(first).computed_at
    TraitBlock.objects.update(refreshed_at=timezone.now() - timedelta(hours=25))
    assert refresh_due_blocks() == 0, "what did not change is not written"
    assert trait(first).computed_at == computed
    assert TraitBlock.objects.get().refreshed_at > computed


def test_a_stage_moves_by_the_clock_alone() -> None:
    customer = make_customer()
    known_since(customer, 400)
    order(customer, 300, "A")
    order(customer, 44.9, "B")
    refresh_due_blocks()
    assert trait(customer).stage == "active"
    Order.objects.filter(number="B").update(placed_at=timezone.now() - timedelta(days=45.1))
    TraitBlock.objects.update(refreshed_at=None)
    refresh_due_blocks()
    assert trait(customer).stage == "cooling"


@pytest.mark.django_db(transaction=True)
def test_news_renew_a_portrait_within_a_tick_and_only_theirs() -> None:
    customer, other = make_customer(), make_customer()
    follow_news()
    told = EventIn(
        message_id="m1",
        name="order_paid",
        occurred_at=timezone.now(),
        external_id=str(customer.external_id),
        order_number="F-1",
        properties={"line": "food", "amount_paid": "88.00", "merchant": "Noodles"},
    )
    record_events([told])
    time.sleep(MARGIN.total_seconds() + 0.2)
    assert follow_news() == 1
    row = trait(customer)
    assert (row.orders_total, str(row.spend_30), row.stage) == (1, "88.00", "new")
    assert row.last_seen_at is not None
    assert not CustomerTrait.objects.filter(pk=other.pk).exists()
    assert follow_news() == 0


def test_the_best_channel_and_hour_need_evidence() -> None:
    customer = make_customer()
    react(customer, 1)
    react(customer, 2)
    refresh_customers(ids=[customer.pk])
    assert (trait(customer).best_channel, trait(customer).best_hour) == ("", None)
    react(customer, 3)
    react(customer, 4, channel="sms", days=2.3)
    refresh_customers(ids=[customer.pk])
    row = trait(customer)
    assert (row.best_channel, row.reactions) == ("push", 4)
    assert row.best_hour is not None


def test_a_zone_the_database_does_not_know_fails_nobody() -> None:
    odd, other = make_customer(), make_customer()
    Customer.objects.filter(pk=odd.pk).update(time_zone="Mars/Olympus")
    order(odd, 1, "A")
    order(other, 1, "B")
    assert refresh_customers(ids=[odd.pk, other.pk]) == 2


def test_a_merge_makes_one_portrait_and_its_undoing_two() -> None:
    kept, merged = make_customer(), make_customer()
    order(kept, 5, "A")
    order(merged, 3, "B")
    merge = merge_customers(kept_id=kept.pk, merged_id=merged.pk)
    assert trait(kept).orders_total == 2
    assert not CustomerTrait.objects.filter(pk=merged.pk).exists()
    undo_merge(merge_id=merge.pk)
    assert (trait(kept).orders_total, trait(merged).orders_total) == (1, 1)


def test_a_portrait_is_copied_out_and_erased_and_does_not_come_back() -> None:
    customer = make_customer()
    order(customer, 5, "A")
    refresh_customers(ids=[customer.pk])
    handler = personal_data.get("customers.CustomerTrait")
    assert handler is not None
    assert handler.export(customer.pk)[0]["orders_total"] == 1
    erase_customer(customer_id=customer.pk, reason="asked")
    assert not CustomerTrait.objects.filter(pk=customer.pk).exists()
    refresh_due_blocks()
    refresh_customers(ids=[customer.pk])
    assert not CustomerTrait.objects.filter(pk=customer.pk).exists()


def test_thresholds_are_checked_versioned_kept_with_history_and_make_all_due() -> None:
    customer = make_customer()
    known_since(customer, 400)
    order(customer, 300, "A")
    order(customer, 40, "B")
    refresh_due_blocks()
    row = update_thresholds(changes={"active_days": 20}, version=1)
    assert (row.version, TraitSettings.history.count()) == (2, 2)
    assert AuditEntry.objects.filter(verb="update_portrait_thresholds").exists()
    refresh_due_blocks()
    assert trait(customer).stage == "cooling"
    with pytest.raises(Conflict):
        update_thresholds(changes={"active_days": 30}, version=1)
    for changes, field in (
        ({"cooling_days": 19}, "cooling_days"),
        ({"asleep_days": 90}, "asleep_days"),
        ({"new_days": 0}, "new_days"),
        ({"currency": "yuan"}, "currency"),
    ):
        with pytest.raises(Refused) as refused:
            update_thresholds(changes=changes, version=2)
        assert refused.value.field == field
    assert lock_settings().version == 2


def client_of(role: str) -> Client:
    client = Client()
    client.force_login(make_user(role))
    return client


PAGE = "/admin/customers/traitsettings/"
FORM = {
    "new_days": 30,
    "active_days": 50,
    "cooling_days": 90,
    "asleep_days": 180,
    "favourite_orders": 2,
    "reaction_days": 180,
    "reaction_minimum": 3,
    "currency": "CNY",
    "expected_version": 1,
}


def test_the_page_of_thresholds_is_for_those_who_may() -> None:
    editor, analyst, agent = (client_of(role) for role in ("marketing_editor", "analyst", "agent"))
    assert [one.get(PAGE).status_code for one in (editor, analyst, agent)] == [200, 200, 403]
    assert not TraitSettings.objects.exists(), "looking writes nothing"
    assert analyst.post(PAGE, FORM).status_code == 403
    assert editor.post(PAGE, {**FORM, "cooling_days": 40}).status_code == 422
    assert editor.post(PAGE, FORM).status_code == 302
    assert TraitSettings.objects.get().active_days == 50
    kept = editor.post(PAGE, {**FORM, "active_days": 60})
    assert kept.status_code == 422
    assert 'value="60"' in kept.content.decode()
    assert editor.get(f"{PAGE}1/history/").status_code == 200


def panel(client: Client, customer: Customer) -> str:
    answer = client.get(f"/admin/customers/customer/{customer.pk}/panel/portrait/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_portrait_says_why_and_how_in_few_queries(django_assert_max_num_queries: Any) -> None:
    customer, client = make_customer(), client_of("agent")
    known_since(customer, 400)
    assert "No portrait yet" in panel(client, customer)
    refresh_due_blocks()
    assert "No orders and no reactions yet" in panel(client, customer)
    assert "No order yet; known to us for 400 days." in panel(client, customer)
    for n in range(12):
        order(customer, 60 + 7 * n, f"A{n}")
        react(customer, n)
    order(customer, 3, "HK", currency="HKD")
    refresh_customers(ids=[customer.pk])
    # Who asks, the customer, and five of the panel.
    with django_assert_max_num_queries(10):
        page = panel(client, customer)
    assert "Last order 3 days ago, active up to 45 days." in page
    assert "1 more order in another currency is not added." in page
    assert "as of" in page
    assert "App push 12" in page
    assert "Thresholds" not in page
