"""What is refused before any page is asked."""

import pytest
from django.test import Client

from notifyhub.staff.tests.factories import make_user


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/customers/order/?q=%00", "/admin/?board=a%00b"])
def test_a_nul_in_an_address_is_a_bad_request_and_no_error(client: Client, path: str) -> None:
    client.force_login(make_user())
    assert client.get(path).status_code == 400
