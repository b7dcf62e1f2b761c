"""The first page: whose board, which cards, and what a broken card does."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.core.registry import DashboardCard, dashboard_cards
from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def _login(client: Client, role: str | None) -> Client:
    client.force_login(make_user(role))
    return client


@pytest.mark.parametrize("role", [*roles.ROLES, None])
def test_it_opens_for_every_role(client: Client, role: str | None) -> None:
    assert _login(client, role).get(reverse("admin:index")).status_code == 200


def test_operators_land_on_their_own_board(client: Client) -> None:
    page = _login(client, roles.OPERATIONS).get(reverse("admin:index"))
    assert page.context["board"] == "operations"


def test_a_card_without_permission_is_refused(client: Client) -> None:
    answer = _login(client, roles.AGENT).get(reverse("admin:console_card", args=["operations"]))
    assert answer.status_code == 403


def test_an_unknown_card_is_not_found(client: Client) -> None:
    assert _login(client, None).get(reverse("admin:console_card", args=["nothing"])).status_code == 404


def test_a_broken_card_says_so_alone(client: Client) -> None:
    def broken(request: Any) -> str:
        raise ValueError("broken")

    dashboard_cards.register("broken", DashboardCard(boards=("operations",), title="Broken", render=broken))
    try:
        answer = _login(client, None).get(reverse("admin:console_card", args=["broken"]))
    finally:
        dashboard_cards._entries.pop("broken")
    assert answer.status_code == 200
    assert "could not be loaded" in answer.content.decode()
