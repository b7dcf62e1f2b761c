"""Every page of every registered model, for every role: it opens or it refuses, and never breaks."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import NoReverseMatch, reverse

from notifyhub.core.registry import navigation
from notifyhub.staff.models import Role, User
from notifyhub.staff.roles import ROLES
from notifyhub.staff.services.people import update_user
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

EVERYBODY = [*ROLES, None]


def addresses(verb: str) -> list[str]:
    """Return the address of that page of each registered model that has one."""
    found = []
    for model in admin.site._registry:
        try:
            found.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{verb}"))
        except NoReverseMatch:
            continue
    return found


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_each_list_opens_or_refuses(client: Client, role: str | None, language: str) -> None:
    client.force_login(make_user(role, language=language))
    answers = {url: client.get(url).status_code for url in addresses("changelist")}
    assert {url: status for url, status in answers.items() if status not in (200, 403)} == {}
    if role is None:
        assert set(answers.values()) == {200}


@pytest.mark.parametrize("role", EVERYBODY)
def test_each_add_page_opens_or_refuses(client: Client, role: str | None) -> None:
    client.force_login(make_user(role))
    # A guided page may stand in for the plain form.
    answers = {url: client.get(url).status_code for url in addresses("add")}
    assert {url: status for url, status in answers.items() if status not in (200, 302, 403)} == {}


@pytest.mark.parametrize("query", ["?q=%00", "?q=" + "x" * 500, "?p=99999", "?o=9.9", "?nonsense=1", "?e=1"])
def test_a_strange_question_to_a_list_is_no_crash(client: Client, query: str) -> None:
    client.force_login(make_user())
    answers = {url: client.get(url + query).status_code for url in addresses("changelist")}
    assert {url: status for url, status in answers.items() if status not in (200, 302)} == {}


@pytest.mark.parametrize("pk", ["0", "x", "99999999999999999999999", "%00", "1-1"])
def test_a_row_that_is_not_there_is_no_crash(client: Client, pk: str) -> None:
    client.force_login(make_user())
    answers = {}
    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        answers[address] = client.get(f"{address}{pk}/change/").status_code
    assert {url: status for url, status in answers.items() if status not in (302, 404)} == {}


@pytest.mark.parametrize("role", EVERYBODY)
def test_every_entry_of_the_sidebar_that_is_shown_opens(client: Client, role: str | None) -> None:
    user: Any = make_user(role)
    client.force_login(user)
    index = client.get(reverse("admin:index"))
    assert index.status_code == 200
    for item in navigation:
        if item.permission and not user.has_perm(item.permission):
            continue
        try:
            address = item.url_name if item.url_name.startswith("/") else reverse(item.url_name)
        except NoReverseMatch:
            continue
        assert client.get(address).status_code == 200, address


@pytest.mark.parametrize("role", EVERYBODY)
def test_each_role_signs_in_at_the_door_with_the_lock_out_on(
    client: Client, role: str | None, settings: Any
) -> None:
    settings.AXES_ENABLED = True
    user = make_user(role)
    answer = client.post(
        reverse("admin:login"), {"username": user.username, "password": "secret-pass-1"}, follow=True
    )
    assert answer.status_code == 200
    assert answer.redirect_chain == [("/admin/", 302)]


def test_the_door_locks_after_too_many_wrong_passwords(client: Client, settings: Any) -> None:
    settings.AXES_ENABLED = True
    make_user("agent")
    wrong = {"username": "agent", "password": "wrong"}
    answers = [client.post(reverse("admin:login"), wrong) for _ in range(9)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert "Try again in 15 minutes" in answers[-1].content.decode()
    right = {"username": "agent", "password": "secret-pass-1"}
    assert client.post(reverse("admin:login"), right).status_code == 429

    # A new password by an administrator opens the door at once.
    changes = {"password": "another-long-one-7"}
    update_user(by=make_user(), user_id=User.objects.get(username="agent").pk, changes=changes)
    new = {"username": "agent", "password": "another-long-one-7"}
    assert client.post(reverse("admin:login"), new).status_code == 302


def test_every_action_that_is_named_exists() -> None:
    for model, model_admin in admin.site._registry.items():
        for action in model_admin.actions or ():
            name = action if isinstance(action, str) else action.__name__
            known = callable(action) or hasattr(model_admin, name) or name in dict(admin.site.actions)
            assert known, f"{model._meta.label}: {name}"


def test_every_role_has_its_group() -> None:
    make_user("agent")
    assert set(Role.objects.values_list("code", flat=True)) == set(ROLES)
