"""A list without rows says why: nothing was found, no row passes the filters, or nothing is there yet."""

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

DUE = "admin:reminders_reminder_changelist"
SEGMENTS = "admin:customers_segment_changelist"


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user(roles.MARKETING_EDITOR))
    return client


def test_a_search_without_a_hit_says_so_and_offers_to_clear_it(editor: Client) -> None:
    page = editor.get(reverse(DUE), {"q": "<b>Nobody", "p": "0"}).content.decode()
    assert "Nothing found for “&lt;b&gt;Nobody”" in page
    assert "Searched by: Order number or customer number" in page
    assert 'href="?"' in page
    assert "Clear the search" in page
    assert "Reset filters" not in page
    assert "Create a new item" not in page


def test_the_search_and_the_filters_are_cleared_apart(editor: Client) -> None:
    page = editor.get(reverse(DUE), {"q": "A & B", "show": "sent"}).content.decode()
    assert "The filters are on as well." in page
    assert 'href="?show=sent"' in page
    assert 'href="?q=A%20%26%20B"' in page


def test_filters_that_nothing_passes_can_be_reset(editor: Client) -> None:
    page = editor.get(reverse(DUE), {"show": "sent"}).content.decode()
    assert "Nothing fits these filters." in page
    assert "Reset filters" in page
    assert "Clear the search" not in page


def test_a_list_that_is_empty_offers_to_add_only_where_that_may_be(editor: Client) -> None:
    page = editor.get(reverse(SEGMENTS)).content.decode()
    assert "Nothing to show" in page
    assert "Add segment" in page
    assert "Reset filters" not in page
    page = editor.get(reverse(DUE)).content.decode()
    assert "Nothing to show" in page
    assert "Reset filters" not in page
