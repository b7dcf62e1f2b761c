"""Rotating the key under which personal data and secrets are stored."""

import base64
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from feedback.models import Case
from feedback.tests.factories import make_agent, make_case
from notifyhub.core import crypto
from notifyhub.core.registry import SealedColumn
from notifyhub.customers.models import ContactPoint, ParkedEvent
from notifyhub.customers.services.contacts import value_hash
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.services.events.policy import change_policy
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import Attachment, DispatchItem, InboundMessage
from notifyhub.messaging.services.requests.attachments import open_attachment
from notifyhub.messaging.tests.kit.replies import gateway, push
from notifyhub.messaging.tests.kit.sending import drain, memory_account
from notifyhub.staff import doctor
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.services.api_keys import create_api_key
from notifyhub.staff.services.rotation import encrypted_columns, rotate_field_keys

pytestmark = pytest.mark.django_db

COPIES = "messaging.MessageCopy.payload"


def key(name: str) -> str:
    return f"{name}:" + base64.b64encode(name[0].encode() * 32).decode()


NEW, OLD = key("new"), key("old")


def rotate() -> str:
    out = StringIO()
    call_command("rotate_field_keys", stdout=out)
    return out.getvalue()


def keys_in(column: SealedColumn) -> list[str]:
    """Return the keys under which the values of a column stand, as stored."""
    model = apps.get_model(column.model)
    # Through another name, so that nothing is decrypted on the way.
    sql = f'SELECT 1 AS {model._meta.pk.name}, "{column.field}" AS sealed FROM "{model._meta.db_table}"'
    rows = model._base_manager.raw(sql)
    return sorted({crypto.key_id_of(row.sealed) for row in rows if row.sealed is not None})


def a_house_with_everything() -> None:
    """Have a value in every column of ciphertext."""
    memory_account()
    account = gateway()
    send = {
        "text": {"subject": "Your bill", "body": "Dear {{ name }}, it is attached."},
        "channels": [{"channel": "email"}],
        "recipients": [{"email": "ann@mail.example", "variables": {"name": "Ann"}}],
        "attachments": [{"name": "a.pdf", "content": base64.b64encode(b"%PDF-1.7 bill").decode()}],
    }
    token = create_api_key(name="orders", scopes=["messages:send"])[1]
    headers = {"Authorization": f"Bearer {token}"}
    sent = Client().post("/api/v1/messages", send, content_type="application/json", headers=headers)
    assert sent.status_code == 202, sent.content
    drain()
    assert push(account, "+8613800002222", "Where is it?") == 200
    change_policy(unknown="park", waiting_days=30, version=None)
    record_events(
        [
            EventIn(
                message_id="m1",
                name="cart_changed",
                occurred_at=timezone.now(),
                source="api:x",
                external_id="E77",
                properties={"sku": "A1"},
            )
        ]
    )
    make_case(make_agent(), phone="13866665555")


def test_everything_goes_under_the_new_key_and_is_read_when_the_old_one_is_gone(settings: Any) -> None:
    oldest = settings.FIELD_KEYS
    settings.FIELD_KEYS = [OLD, *oldest]
    a_house_with_everything()
    columns = encrypted_columns()
    assert {name: keys_in(one) for name, one in columns.items()} == {name: ["old"] for name in columns}

    settings.FIELD_KEYS = [NEW, OLD, *oldest]
    said = rotate()
    assert "messaging.InboundMessage.text: 1" in said
    assert "keep the old key until" in said
    expected = {name: ["old" if name == COPIES else "new"] for name in columns}
    assert {name: keys_in(one) for name, one in columns.items()} == expected
    told = AuditEntry.objects.filter(verb="rotate_field_keys")
    assert told.count() == len(columns) - 1
    assert "0 values are now under the key “new”" in rotate()
    assert told.count() == len(columns) - 1

    settings.FIELD_KEYS = [NEW, *oldest]
    # What stays under the old key is what doctor asks for.
    assert doctor.check_field_keys().data["missing"] == ["old"]
    point = ContactPoint.objects.get(value_hash=value_hash(kind="email", value="ann@mail.example"))
    assert (point.value, point.key_id) == ("ann@mail.example", "new")
    reply = InboundMessage.objects.get()
    assert (reply.contact, reply.text) == ("+8613800002222", "Where is it?")
    item = DispatchItem.objects.select_related("dispatch").get()
    assert "Ann" in str(item.variables)
    assert "it is attached" in str(item.dispatch.text)
    assert open_attachment(Attachment.objects.get()) == b"%PDF-1.7 bill"
    assert ParkedEvent.objects.get().payload["properties"] == {"sku": "A1"}
    assert Case.objects.get().contact_phone == "+8613866665555"
    assert "whsec_" in str([row.secrets for row in reply.account._meta.model.objects.all()])


def test_values_go_under_the_newest_key_and_are_still_found(settings: Any) -> None:
    make_customer(phone="13800001111", email="a@mail.example")
    settings.FIELD_KEYS = [NEW, *settings.FIELD_KEYS]
    assert "customers.ContactPoint.value: 2" in rotate()
    point = ContactPoint.objects.get(value_hash=value_hash(kind="phone", value="+8613800001111"))
    assert (point.value, point.key_id) == ("+8613800001111", "new")


def test_stopped_between_slices_it_goes_on_where_it_was(settings: Any) -> None:
    for n in range(3):
        make_customer(phone=f"1380000111{n}", email=None)
    make_case(make_agent(), phone="13866665555", customer_id=make_customer(email=None).pk)
    settings.FIELD_KEYS = [NEW, *settings.FIELD_KEYS]

    def stop(name: str, done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate_field_keys(progress=stop)
    first = sum(sorted(keys_in(one)) == ["new"] for one in encrypted_columns().values())
    assert first == 1
    rest = rotate_field_keys()
    assert sum(rest.done.values()) > 0
    assert all(keys_in(one) in ([], ["new"]) for one in encrypted_columns().values())


def test_what_cannot_be_read_is_counted_and_the_rest_rotated(settings: Any) -> None:
    make_customer(phone="13800001111", email=None)
    lost = make_customer(phone="13800002222", email=None).contact_points.get()
    ContactPoint.objects.filter(pk=lost.pk).update(value=b"\x02k0" + b"x" * 40)
    settings.FIELD_KEYS = [NEW, *settings.FIELD_KEYS]
    with pytest.raises(CommandError, match=r"1 values cannot be read.*ContactPoint\.value"):
        rotate()
    assert ContactPoint.objects.filter(key_id="new").count() == 1
