"""Alerts: gathered, told once, holding orders, decided, settled, quiet, forgotten."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from celery import current_app
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifyhub.core.registry import customer_panels, personal_data, subject_messages
from notifyhub.customers.models import (
    Alert,
    AlertEvent,
    Customer,
    Hold,
    WatchFinding,
    WatchMute,
    WatchSighting,
)
from notifyhub.customers.services.events import record_events
from notifyhub.customers.services.merging import merge_customers, undo_merge
from notifyhub.customers.services.watch.deciding import dismiss_alert, handle_alert
from notifyhub.customers.services.watch.following import judge_due
from notifyhub.customers.services.watch.holding import holds_of, release_alert_holds
from notifyhub.customers.services.watch.retention import forget_watch
from notifyhub.customers.services.watch.rules import pause_rule
from notifyhub.customers.services.watch.words import alert_sentence
from notifyhub.customers.tests.factories import make_customer
from notifyhub.customers.tests.watching import charge_twice, make_rule, see, tell
from notifyhub.staff.models import AuditEntry, Membership, StaffNotice
from notifyhub.staff.tests.factories import make_team, make_user

pytestmark = pytest.mark.django_db


def page(alert: Alert, verb: str = "") -> str:
    """Return the address of an alert's page, or of a decision about it."""
    if verb:
        return reverse("admin:customers_alert_decide", args=[alert.pk, verb])
    return reverse("admin:customers_alert_change", args=[alert.pk])


def twice(**facts: Any) -> Any:
    return make_rule(kind="twice", first=["paid"], **facts)


def test_a_burst_is_told_once_to_the_team() -> None:
    member, _other = make_user("agent"), make_user("operations")
    team = make_team("Care", "service")
    Membership.objects.create(user=member, team=team)
    make_rule(kind="burst", first=["failed"], properties=["merchant"], count=3, tell_team=team)
    at = timezone.now() - timedelta(minutes=5)
    for n in range(7):
        see(tell("failed", at + timedelta(seconds=n), "", f"E{n}", merchant="Old Town"))
    see(*(tell("failed", at + timedelta(seconds=n), "", f"E{n}", merchant="Elsewhere") for n in range(2)))
    alert = Alert.objects.get()
    assert (alert.found, alert.people, alert.group) == (7, 7, "Old Town")
    assert alert_sentence(alert) == "“failed” came 7 times with merchant “Old Town”."
    notice = StaffNotice.objects.get()
    assert (notice.recipient, notice.level, notice.url) == (member, "alarm", page(alert))


def test_many_alerts_of_one_rule_at_once_are_told_in_one_notice() -> None:
    make_user("service_lead")
    make_rule(kind="burst", first=["failed"], properties=["merchant"], count=2)
    at = timezone.now() - timedelta(minutes=5)
    see(*(tell("failed", at, "", f"E{n}{m}", merchant=f"M{m}") for m in range(5) for n in range(2)))
    assert Alert.objects.count() == 5
    assert StaffNotice.objects.get().title == "Rule: 5 alerts"


def test_orders_are_held_until_somebody_lets_them_go_for_a_reason(client: Client) -> None:
    twice(holds=True, hold_hours=24)
    charge_twice(orders=2)
    alert = Alert.objects.get()
    held = Hold.objects.in_force(timezone.now()).filter(scope="subject", origin_kind="watch")
    assert set(held.values_list("scope_value", flat=True)) == {"order:O0", "order:O1"}
    assert all(hold.ends_at for hold in held)
    lead = make_user("service_lead")
    client.force_login(lead)
    assert client.post(page(alert, "release"), {"note": " "}).status_code == 422
    assert client.post(page(alert, "release"), {"note": "Refunded"}).status_code == 302
    assert not holds_of(alert).exists()
    assert AuditEntry.objects.get(verb="release_alert_holds").reason == "Refunded"
    # What a person let go is not held again when the alert grows.
    charge_twice(orders=3, minutes=4)
    assert set(held.all().values_list("scope_value", flat=True)) == {"order:O2"}


def test_an_alert_is_handled_once_with_a_note(client: Client) -> None:
    lead = make_user("service_lead")
    client.force_login(lead)
    twice(holds=True)
    charge_twice()
    alert = Alert.objects.get()
    assert StaffNotice.objects.filter(read_at=None).count() == 1
    empty = client.post(page(alert, "handle"), {"note": ""})
    assert empty.status_code == 422
    assert client.post(page(alert, "handle"), {"note": "Refunded both", "release": "1"}).status_code == 302
    alert.refresh_from_db()
    assert (alert.state, alert.decided_by, alert.note) == ("handled", lead, "Refunded both")
    assert not holds_of(alert).exists()
    assert not StaffNotice.objects.filter(read_at=None).exists()
    late = client.post(page(alert, "dismiss"), {"note": "No matter", "days": "7"})
    assert late.status_code == 409
    assert "No matter" in late.content.decode()
    # What comes now is another alert.
    charge_twice(minutes=1)
    assert Alert.objects.open().count() == 1


def test_no_problem_keeps_the_same_quiet_for_a_while(client: Client) -> None:
    client.force_login(make_user("senior_agent"))
    twice()
    charge_twice()
    alert = Alert.objects.get()
    assert client.post(page(alert, "dismiss"), {"note": "A test order", "days": "2"}).status_code == 422
    assert client.post(page(alert, "dismiss"), {"note": "A test order", "days": "7"}).status_code == 302
    charge_twice(minutes=2)
    assert not Alert.objects.open().exists()
    assert WatchFinding.objects.filter(alert=alert, muted=True).exists()
    assert "times since" in client.get(page(alert)).content.decode()
    charge_twice(orders=2, minutes=1)
    assert Alert.objects.open().get().found == 1, "another order is another matter"
    WatchMute.objects.update(until=timezone.now())
    charge_twice(minutes=0.6)
    assert Alert.objects.open().get().found == 2


def test_what_comes_late_settles_the_alert_and_frees_its_orders() -> None:
    make_user("service_lead")
    make_rule(kind="missing", first=["paid"], second=["confirmed"], minutes=15, holds=True)
    at = timezone.now() - timedelta(hours=1)
    see(tell("paid", at), tell("paid", at, "O2", "E2"))
    assert not Alert.objects.exists(), "it has not looked yet"
    judge_due(now=timezone.now() + timedelta(minutes=1))
    alert = Alert.objects.get()
    assert (alert.found, Hold.objects.in_force(timezone.now()).count()) == (2, 2)
    see(tell("confirmed", at + timedelta(minutes=3)))
    alert.refresh_from_db()
    assert (alert.state, alert.found) == ("open", 1)
    assert list(holds_of(alert).values_list("scope_value", flat=True)) == ["order:O2"]
    see(tell("confirmed", at + timedelta(minutes=3), "O2", "E2"))
    alert.refresh_from_db()
    assert alert.state == "settled"
    assert not holds_of(alert).exists()
    assert not StaffNotice.objects.filter(read_at=None).exists()


def test_a_paused_rule_finds_nothing_and_starts_anew() -> None:
    rule = twice()
    pause_rule(rule_id=rule.pk)
    charge_twice()
    assert not Alert.objects.exists()


def test_the_page_shows_events_people_holds_and_messages(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    client.force_login(make_user("service_lead"))
    twice(holds=True)
    charge_twice(orders=3)
    alert = Alert.objects.get()
    text = client.get(page(alert)).content.decode()
    assert "“paid” came twice for 3 orders." in text
    assert "O2" in text
    assert "Nothing was sent about them since." in text
    charge_twice(orders=40, minutes=2)
    with django_assert_max_num_queries(26):
        client.get(page(alert))


def test_the_list_is_filtered_and_takes_the_same_queries(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    client.force_login(make_user("service_lead"))
    rule = twice()
    charge_twice()
    Alert.objects.bulk_create(
        Alert(rule=rule, facts=Alert.objects.get().facts, raised_at=timezone.now(), grew_at=timezone.now())
        for _ in range(30)
    )
    listing = reverse("admin:customers_alert_changelist")
    with django_assert_max_num_queries(14):
        assert client.get(listing).status_code == 200
    found = client.get(listing, {"q": "O0", "state": "all"}).context["cl"].result_list
    assert [alert.found for alert in found] == [1]
    assert not client.get(listing, {"state": "handled"}).context["cl"].result_list
    index = client.get(reverse("admin:index")).content.decode()
    assert "31" in index, "the sidebar counts the open ones"


def test_who_only_reads_decides_nothing(client: Client) -> None:
    twice()
    charge_twice()
    alert = Alert.objects.get()
    client.force_login(make_user("agent"))
    assert client.get(page(alert)).status_code == 200
    assert client.post(page(alert, "handle"), {"note": "x"}).status_code == 403
    assert client.get(page(alert, "handle")).status_code == 403
    client.force_login(make_user("content_editor"))
    assert client.get(page(alert)).status_code == 403
    client.force_login(make_user())
    assert client.post(page(alert, "nonsense"), {"note": "x"}).status_code == 404
    assert client.get(page(alert, "handle")).status_code == 405


def test_the_customer_page_shows_the_alert(client: Client) -> None:
    client.force_login(make_user("agent"))
    twice()
    charge_twice()
    person, other = Customer.objects.get(external_id="E0"), make_customer()
    url = reverse("admin:customers_customer_panel", args=[person.pk, "alerts"])
    assert "came twice" in client.get(url).content.decode()
    nobody = reverse("admin:customers_customer_panel", args=[other.pk, "alerts"])
    assert "No alert is about this customer." in client.get(nobody).content.decode()
    assert customer_panels.get("alerts") is not None
    assert subject_messages.get("messages") is not None


def test_a_merge_takes_alerts_along_and_back() -> None:
    twice()
    charge_twice()
    person, other = Customer.objects.get(external_id="E0"), make_customer()
    merge = merge_customers(kept_id=other.pk, merged_id=person.pk)
    assert Alert.objects.about(other.pk).exists()
    undo_merge(merge_id=merge.pk)
    assert Alert.objects.about(person.pk).exists()
    assert not Alert.objects.about(other.pk).exists()


def test_personal_data_is_copied_and_erased() -> None:
    twice()
    charge_twice()
    person = Customer.objects.get(external_id="E0")
    for name, model in (
        ("AlertEvent", AlertEvent),
        ("WatchFinding", WatchFinding),
        ("WatchSighting", WatchSighting),
    ):
        handler = personal_data.get(f"customers.{name}")
        assert handler is not None
        handler.export(person.pk)
        assert handler.erase(person.pk) > 0
        assert not model.objects.filter(customer=person).exists()


def test_what_nothing_can_meet_any_more_is_forgotten() -> None:
    twice()
    charge_twice()
    alert = Alert.objects.get()
    dismiss_alert(alert_id=alert.pk, note="x", days=1)
    assert forget_watch() == 0
    with time_machine.travel(timezone.now() + timedelta(days=500)):
        WatchSighting.objects.update(occurred_at=timezone.now() - timedelta(days=600))
        assert forget_watch() > 0
    assert not any(model.objects.exists() for model in (WatchSighting, WatchMute, Alert))


def test_releasing_without_holds_says_none() -> None:
    twice()
    charge_twice()
    alert = Alert.objects.get()
    assert release_alert_holds(alert_id=alert.pk, reason="x") == 0
    handle_alert(alert_id=alert.pk, note="x", release=True)


def test_events_of_a_watched_name_are_looked_at_at_once(
    django_capture_on_commit_callbacks: Any,
) -> None:
    twice()
    at = timezone.now() - timedelta(minutes=5)
    current_app.conf.task_always_eager = True
    try:
        with django_capture_on_commit_callbacks(execute=True):
            record_events([tell("unwatched", at), tell("paid", at), tell("paid", at + timedelta(seconds=9))])
    finally:
        current_app.conf.task_always_eager = False
    assert Alert.objects.get().found == 1
