from datetime import timedelta

import pytest
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Hold, Suppression
from notifyhub.customers.services.holds import place_hold, release_hold, release_holds_of
from notifyhub.customers.services.suppressions import find_suppressions, lift, suppress_contact
from notifyhub.customers.tests.factories import make_customer, make_topic
from notifyhub.staff.models import AuditEntry

pytestmark = pytest.mark.django_db


def test_a_hold_is_placed_and_released_on_record() -> None:
    customer = make_customer()
    hold = place_hold(customer_id=customer.pk, scope="promotions", reason="Open complaint")
    assert list(Hold.objects.in_force(timezone.now())) == [hold]
    release_hold(hold_id=hold.pk, reason="Solved")
    assert not Hold.objects.in_force(timezone.now()).exists()
    assert set(AuditEntry.objects.values_list("verb", flat=True)) >= {"place_hold", "release_hold"}
    with pytest.raises(Refused):
        release_hold(hold_id=hold.pk)


def test_a_hold_is_over_at_its_end() -> None:
    hold = place_hold(
        customer_id=make_customer().pk,
        scope="promotions",
        reason="x",
        ends_at=timezone.now() + timedelta(hours=1),
    )
    assert Hold.objects.in_force(timezone.now()).count() == 1
    assert not Hold.objects.in_force(hold.ends_at).exists()


def test_an_order_number_alone_is_understood_as_a_subject() -> None:
    hold = place_hold(customer_id=make_customer().pk, scope="subject", scope_value="H-1", reason="Dispute")
    assert hold.scope_value == "order:H-1"


def test_one_origin_places_a_hold_once_and_releases_all_of_its_own() -> None:
    customer = make_customer()
    facts = {"customer_id": customer.pk, "reason": "x", "origin_kind": "case", "origin_id": "C1"}
    first = place_hold(scope="promotions", **facts)
    assert place_hold(scope="promotions", **facts) == first
    place_hold(scope="channel", scope_value="sms", **facts)
    other = place_hold(customer_id=customer.pk, scope="promotions", reason="Mine")
    assert release_holds_of(origin_kind="case", origin_id="C1") == 2
    assert list(Hold.objects.in_force(timezone.now())) == [other]


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"scope": "everything"}, "scope"),
        ({"scope": "topic", "scope_value": "unknown"}, "scope_value"),
        ({"scope": "channel", "scope_value": "pigeon"}, "scope_value"),
        ({"scope": "subject", "scope_value": ""}, "scope_value"),
        ({"scope": "promotions", "reason": "  "}, "reason"),
        ({"scope": "promotions", "ends_at": timezone.now() - timedelta(days=1)}, "ends_at"),
    ],
)
def test_it_refuses_a_hold_that_says_nothing(facts: dict, field: str) -> None:
    make_topic()
    with pytest.raises(Refused) as refusal:
        place_hold(**{"customer_id": make_customer().pk, "reason": "x", **facts})
    assert refusal.value.field == field


def test_a_number_is_suppressed_once_in_any_notation_and_found_again() -> None:
    row = suppress_contact(kind="phone", raw="139 1234 5678", scope="all", note="Asked on the phone")
    assert suppress_contact(kind="phone", raw="+8613912345678", scope="all", note="") == row
    assert row.masked == "139****5678"
    assert find_suppressions(text="0086 139-1234-5678") == [row]
    assert find_suppressions(text="13912345679") == []
    assert "13912345678" not in str(AuditEntry.objects.values())


def test_lifting_asks_for_a_reason_and_happens_once() -> None:
    row = suppress_contact(kind="email", raw="a@b.example", scope="all", note="")
    with pytest.raises(Refused) as refusal:
        lift(suppression_id=row.pk, reason=" ")
    assert refusal.value.field == "reason"
    lift(suppression_id=row.pk, reason="She asked for it")
    assert not Suppression.objects.in_force().exists()
    with pytest.raises(Refused):
        lift(suppression_id=row.pk, reason="Again")


def test_an_erased_persons_suppression_stays() -> None:
    row = suppress_contact(kind="email", raw="a@b.example", scope="all", note="", reason="erased")
    with pytest.raises(Refused):
        lift(suppression_id=row.pk, reason="Marketing wants it")


def test_what_cannot_be_a_mailbox_cannot_be_suppressed() -> None:
    with pytest.raises(Refused) as refusal:
        suppress_contact(kind="email", raw="nobody", scope="all", note="")
    assert refusal.value.field == "email"
