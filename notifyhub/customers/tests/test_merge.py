from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.customers.models import (
    Consent,
    ConsentRecord,
    ContactPoint,
    Customer,
    Event,
    Order,
    SegmentMember,
)
from notifyhub.customers.services.consents import record_consent
from notifyhub.customers.services.contact_points import add_contact_point
from notifyhub.customers.services.duplicates import duplicates_of, likely_duplicates
from notifyhub.customers.services.holds import place_hold
from notifyhub.customers.services.merging import merge_customers, undo_merge
from notifyhub.customers.services.segments import add_members, create_segment
from notifyhub.customers.signals import customers_merged, customers_unmerged
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def snapshot(customer: Customer) -> dict[str, Any]:
    """Return what belongs to a customer, without versions and times of change."""
    row = Customer.objects.filter(pk=customer.pk).values(
        "external_id",
        "name",
        "city",
        "tags",
        "attributes",
        "state",
        "merged_into",
        "last_order_at",
        "provisional",
    )[0]
    return {
        **row,
        "orders": set(Order.objects.filter(customer=customer).values_list("number", flat=True)),
        "events": set(Event.objects.filter(customer=customer).values_list("message_id", flat=True)),
        "contacts": set(ContactPoint.objects.filter(customer=customer).values_list("masked", "primary")),
        "consents": set(
            Consent.objects.filter(customer=customer).values_list("topic", "channel", "decision")
        ),
        "lists": set(SegmentMember.objects.filter(customer=customer).values_list("segment", flat=True)),
        "holds": set(customer.holds.values_list("reason", flat=True)),
    }


def two_full_customers() -> tuple[Customer, Customer]:
    kept = make_customer(phone="13900000001", email=None, name="", tags=["gold"], external_id=None)
    merged = make_customer(
        phone="13900000002", email="b@mail.example", name="Liu", city="Hefei", tags=["gold", "vip"],
        attributes={"points": 7}, external_id="P-9",
    )  # fmt: skip
    deals, stays = make_topic("food-deals"), make_topic("stays")
    opt_in(kept, deals, "sms")
    opt_in(merged, deals, "sms", decision="out")
    opt_in(merged, stays, "email")
    for number, owner in (("O-1", kept), ("O-2", merged)):
        Order.objects.create(customer=owner, number=number, line="food", told_at=NOW)
        Event.objects.create(
            customer=owner,
            name="order_paid",
            occurred_at=NOW,
            received_at=NOW,
            source="api",
            message_id=number,
        )
    Customer.objects.filter(pk=merged.pk).update(last_order_at=NOW)
    place_hold(customer_id=merged.pk, scope="promotions", reason="Complaint")
    both = create_segment(name="Both", kind="static")
    other = create_segment(name="One", kind="static")
    SegmentMember.objects.create(segment=both, customer=kept)
    add_members(segment_id=both.pk, text="P-9")
    add_members(segment_id=other.pk, text="P-9")
    kept.refresh_from_db()
    merged.refresh_from_db()
    return kept, merged


def test_everything_goes_to_the_kept_customer_and_the_stricter_consent_wins() -> None:
    kept, merged = two_full_customers()
    merge_customers(kept_id=kept.pk, merged_id=merged.pk)
    got = snapshot(kept)
    assert got["orders"] == {"O-1", "O-2"}
    assert got["events"] == {"O-1", "O-2"}
    assert got["contacts"] == {("139****0001", True), ("139****0002", False), ("b***@mail.example", True)}
    assert {(channel, decision) for _topic, channel, decision in got["consents"]} == {
        ("sms", "out"),
        ("email", "in"),
    }
    assert len(got["lists"]) == 2
    assert got["holds"] == {"Complaint"}
    assert (got["name"], got["city"], got["tags"], got["external_id"]) == (
        "Liu",
        "Hefei",
        ["gold", "vip"],
        "P-9",
    )
    assert got["last_order_at"] == NOW
    merged.refresh_from_db()
    assert (merged.state, merged.merged_into_id) == ("merged", kept.pk)


def test_undoing_brings_back_both_as_they_were() -> None:
    kept, merged = two_full_customers()
    before = snapshot(kept), snapshot(merged)
    merge = merge_customers(kept_id=kept.pk, merged_id=merged.pk)
    undo_merge(merge_id=merge.pk)
    assert (snapshot(kept), snapshot(merged)) == before
    with pytest.raises(Refused):
        undo_merge(merge_id=merge.pk)


def test_what_came_after_the_merge_stays_and_an_opt_out_counts_for_both() -> None:
    kept, merged = make_customer(), make_customer()
    topic = make_topic()
    opt_in(kept, topic, "sms")
    opt_in(merged, topic, "sms")
    merge = merge_customers(kept_id=kept.pk, merged_id=merged.pk)
    later = timezone.now() + timedelta(seconds=1)
    record_consent(
        customer_id=kept.pk, topic=topic, channel="sms", decision="out", source="app", given_at=later
    )
    Order.objects.create(customer=kept, number="NEW", line="food", told_at=NOW)
    undo_merge(merge_id=merge.pk)
    assert set(Consent.objects.values_list("customer", "decision")) == {(kept.pk, "out"), (merged.pk, "out")}
    assert Order.objects.get(number="NEW").customer == kept


def test_each_change_of_consent_leaves_a_record() -> None:
    kept, merged = make_customer(), make_customer()
    opt_in(merged, make_topic(), "sms", decision="out")
    before = ConsentRecord.objects.filter(customer=kept).count()
    merge_customers(kept_id=kept.pk, merged_id=merged.pk)
    assert ConsentRecord.objects.filter(customer=kept, source="merge").count() == before + 1


def test_it_refuses_the_same_a_merged_and_an_erased_customer() -> None:
    first, second, third = make_customer(), make_customer(), make_customer()
    with pytest.raises(Refused):
        merge_customers(kept_id=first.pk, merged_id=first.pk)
    merge = merge_customers(kept_id=first.pk, merged_id=second.pk)
    with pytest.raises(Refused):
        merge_customers(kept_id=third.pk, merged_id=second.pk)
    merge_customers(kept_id=third.pk, merged_id=first.pk)
    with pytest.raises(Refused):
        undo_merge(merge_id=merge.pk)


def test_the_apps_above_are_told(django_capture_on_commit_callbacks: Any) -> None:
    heard: list[tuple[str, int, int]] = []

    def on_merge(**kw: Any) -> None:
        heard.append(("merged", kw["kept_id"], kw["merged_id"]))

    def on_undo(**kw: Any) -> None:
        heard.append(("undone", kw["kept_id"], kw["merged_id"]))

    customers_merged.connect(on_merge)
    customers_unmerged.connect(on_undo)
    kept, merged = make_customer(), make_customer()
    with django_capture_on_commit_callbacks(execute=True):
        merge = merge_customers(kept_id=kept.pk, merged_id=merged.pk)
    with django_capture_on_commit_callbacks(execute=True):
        undo_merge(merge_id=merge.pk)
    assert heard == [("merged", kept.pk, merged.pk), ("undone", kept.pk, merged.pk)]


def test_customers_with_one_number_are_likely_one_person_until_they_are_merged() -> None:
    first, second = make_customer(), make_customer()
    make_customer()
    add_contact_point(customer_id=second.pk, kind="phone", raw=first_phone(first), primary=False)
    page = likely_duplicates()
    assert [[row.pk for row in group.customers] for group in page.groups] == [[first.pk, second.pk]]
    assert duplicates_of(customer_id=first.pk) == [second]
    merge_customers(kept_id=first.pk, merged_id=second.pk)
    assert likely_duplicates().groups == []
    assert duplicates_of(customer_id=first.pk) == []


def test_duplicates_come_by_key_and_none_twice() -> None:
    for n in range(7):
        make_customer(phone=f"1370000{n:04d}")
        make_customer(phone=f"1370000{n:04d}")
    seen, after = [], ""
    while True:
        page = likely_duplicates(after=after, limit=3)
        seen += [group.masked for group in page.groups]
        after = page.after
        if not after:
            break
    assert sorted(seen) == [f"137****{n:04d}" for n in range(7)]
    assert likely_duplicates(after="not hex").groups


def first_phone(customer: Customer) -> str:
    return customer.contact_points.get(kind="phone").value
