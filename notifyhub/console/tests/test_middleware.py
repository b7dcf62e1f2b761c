"""What is refused on any page."""

import pytest
from django.db import DataError
from django.test import Client, RequestFactory

from notifyhub.core.middleware import NulIsABadRequest
from notifyhub.staff.tests.factories import make_user


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["?q=%00", "?state=a%00b", "?state__exact=%00"])
def test_a_nul_in_a_question_to_a_list_is_no_crash(client: Client, query: str) -> None:
    client.force_login(make_user())
    assert client.get(f"/admin/customers/order/{query}").status_code < 500


@pytest.mark.parametrize("error", [ValueError("NUL"), DataError("NUL")])
def test_a_nul_that_reached_the_database_is_a_bad_request(error: Exception) -> None:
    middleware = NulIsABadRequest(lambda request: None)  # type: ignore[arg-type, return-value]
    nul, plain = (RequestFactory().get(path) for path in ("/?state=%00", "/?state=open"))
    answer = middleware.process_exception(nul, error)
    assert answer is not None
    assert answer.status_code == 400
    assert middleware.process_exception(plain, error) is None
