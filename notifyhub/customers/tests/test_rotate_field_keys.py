"""Rotating the key of contact points."""

import base64
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from notifyhub.customers.models import ContactPoint
from notifyhub.customers.services.contacts import value_hash
from notifyhub.customers.tests.factories import make_customer

pytestmark = pytest.mark.django_db

NEW = "k9:" + base64.b64encode(b"n" * 32).decode()


def rotate() -> str:
    out = StringIO()
    call_command("rotate_field_keys", stdout=out)
    return out.getvalue()


def test_values_go_under_the_newest_key_and_are_still_found(settings) -> None:
    make_customer(phone="13800001111", email="a@mail.example")
    settings.FIELD_KEYS = [NEW, *settings.FIELD_KEYS]
    assert rotate().startswith("2 contact points")
    point = ContactPoint.objects.get(value_hash=value_hash(kind="phone", value="+8613800001111"))
    assert (point.value, point.key_id) == ("+8613800001111", "k9")
    assert rotate().startswith("0 contact points")


def test_what_cannot_be_read_is_counted_and_the_rest_rotated(settings) -> None:
    make_customer(phone="13800001111", email=None)
    lost = make_customer(phone="13800002222", email=None).contact_points.get()
    ContactPoint.objects.filter(pk=lost.pk).update(value=b"\x02k0" + b"x" * 40)
    settings.FIELD_KEYS = [NEW, *settings.FIELD_KEYS]
    with pytest.raises(CommandError, match="1 contact points cannot be read"):
        rotate()
    assert ContactPoint.objects.filter(key_id="k9").count() == 1
