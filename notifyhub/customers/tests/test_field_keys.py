"""Doctor knows which keys stored personal data needs."""

from typing import Any

import pytest

from notifyhub.customers.tests.factories import make_customer
from notifyhub.staff import doctor

pytestmark = pytest.mark.django_db


def test_a_key_that_data_needs_and_nobody_configured_is_named(settings: Any) -> None:
    make_customer()
    assert doctor.check_field_keys().data["in_use"] == ["k1"]

    settings.FIELD_KEYS = ["k2:" + "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="]
    found = doctor.check_field_keys()
    assert (found.level, found.data["missing"]) == ("error", ["k1"])
