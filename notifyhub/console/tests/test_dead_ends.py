"""Whoever comes to a page that is not there, or not theirs, reads that in words and finds the way back."""

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

BACK = 'href="/admin/"'


def test_a_page_that_is_not_there_leads_back(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    for path in ("/admin/nosuch/", "/admin/messaging/delivery/1-1/message/"):
        answer = client.get(path)
        page = answer.content.decode()
        assert (answer.status_code, "There is no such page" in page, BACK in page) == (404, True, True)
    client.cookies["django_language"] = "zh-hans"
    assert '<html lang="zh-hans">' in client.get("/admin/nosuch/").content.decode()


def test_a_stranger_is_not_led_into_the_house(client: Client) -> None:
    page = client.get("/nosuch").content.decode()
    assert "There is no such page" in page
    assert BACK not in page


def test_a_page_of_another_role_says_so(client: Client) -> None:
    client.force_login(make_user(roles.DEPARTMENT_MEMBER))
    answer = client.get(reverse("admin:console_operations"))
    page = answer.content.decode()
    assert (answer.status_code, "It does not belong to your role" in page, BACK in page) == (403, True, True)


def test_a_form_of_an_older_session_says_that_nothing_was_changed() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(roles.OPERATIONS))
    answer = client.post(reverse("admin:console_operations_resume"), {"halt": "1"})
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.content.decode()
    assert BACK in answer.content.decode()
