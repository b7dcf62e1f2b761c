import pytest
from django.apps import apps

from notifyhub.core.errors import Refused
from notifyhub.core.registry import personal_data
from notifyhub.customers.models import ConsentRecord, ContactPoint, Customer, Event, Order, Suppression
from notifyhub.customers.services.consents import record_consent
from notifyhub.customers.services.privacy import erase_customer, export_personal_data
from notifyhub.customers.services.reveal import PER_HOUR, reveal_contact
from notifyhub.customers.tests.factories import make_customer, make_topic
from notifyhub.customers.tests.test_merge import NOW
from notifyhub.staff.context import Actor, acting
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_a_reveal_needs_the_permission_and_a_reason_and_is_on_record() -> None:
    agent, analyst = make_user("agent"), make_user("analyst")
    point = make_customer(phone="13912345678").contact_points.get(kind="phone")
    with pytest.raises(Refused) as refusal:
        reveal_contact(user=analyst, contact_id=point.pk, reason="Because")
    assert refusal.value.code == "forbidden"
    with pytest.raises(Refused):
        reveal_contact(user=agent, contact_id=point.pk, reason="  ")
    with acting(Actor(kind="staff", id=agent.pk, name=str(agent))):
        assert reveal_contact(user=agent, contact_id=point.pk, reason="Call back") == "+8613912345678"
    entry = AuditEntry.objects.get(verb="reveal_contact")
    assert (entry.actor_id, entry.reason) == (agent.pk, "Call back")
    assert "12345678" not in str(entry.detail)


def test_a_person_reveals_thirty_an_hour_and_no_more() -> None:
    agent, other = make_user("agent"), make_user("agent", username="other")
    point = make_customer().contact_points.get(kind="phone")
    with acting(Actor(kind="staff", id=agent.pk, name=str(agent))):
        for _ in range(PER_HOUR):
            reveal_contact(user=agent, contact_id=point.pk, reason="Call back")
        with pytest.raises(Refused) as refusal:
            reveal_contact(user=agent, contact_id=point.pk, reason="Call back")
    assert refusal.value.code == "limit"
    with acting(Actor(kind="staff", id=other.pk, name=str(other))):
        assert reveal_contact(user=other, contact_id=point.pk, reason="Call back")


def test_every_model_of_this_app_that_points_to_a_customer_is_copied_and_erased() -> None:
    models = {
        model._meta.label
        for model in apps.get_app_config("customers").get_models()
        for field in model._meta.fields
        if field.related_model is Customer
    }
    assert models <= {name for name, _ in personal_data.items()}


def test_the_copy_holds_everything_in_full_and_says_who_took_it() -> None:
    customer = make_customer(phone="13912345678", name="Liu")
    record_consent(customer_id=customer.pk, topic=make_topic(), channel="sms", decision="in", source="app")
    copy = export_personal_data(customer_id=customer.pk, reason="Asked by letter")
    assert copy["data"]["customers.ContactPoint"][0]["value"] == "+8613912345678"
    assert copy["data"]["customers.ConsentRecord"][0]["decision"] == "in"
    assert AuditEntry.objects.get(verb="export_personal_data").reason == "Asked by letter"


def test_erasing_leaves_a_skeleton_and_a_suppression() -> None:
    customer = make_customer(phone="13912345678", email=None, name="Liu", attributes={"a": 1}, tags=["x"])
    record_consent(
        customer_id=customer.pk, topic=make_topic(), channel="sms", decision="in", source="app", wording="Liu"
    )
    Order.objects.create(customer=customer, number="O-1", line="food", merchant="Noodles", told_at=NOW)
    Event.objects.create(
        customer=customer, name="x", occurred_at=NOW, received_at=NOW, source="api", message_id="1"
    )
    erase_customer(customer_id=customer.pk, reason="Asked by letter")
    customer.refresh_from_db()
    assert (customer.state, customer.name, customer.external_id, customer.attributes, customer.tags) == (
        "erased", "", None, {}, [],
    )  # fmt: skip
    assert not ContactPoint.objects.exists()
    assert not Event.objects.exists()
    assert (Order.objects.get().number, Order.objects.get().merchant) == ("O-1", "")
    assert ConsentRecord.objects.get().wording == ""
    assert Suppression.objects.get().reason == "erased"
    with pytest.raises(Refused):
        erase_customer(customer_id=customer.pk, reason="Once more")


def test_a_number_that_somebody_else_uses_too_is_not_suppressed() -> None:
    customer = make_customer(phone="13912345678", email=None)
    make_customer(phone="13912345678", email=None)
    erase_customer(customer_id=customer.pk, reason="Asked by letter")
    assert not Suppression.objects.exists()
