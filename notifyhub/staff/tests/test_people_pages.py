"""Members of staff, teams, roles and one's own profile, through the console."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from notifyhub.staff.models import AuditEntry, Role, Team, User
from notifyhub.staff.tests.factories import make_team, make_user

pytestmark = pytest.mark.django_db

USERS = "admin:staff_user_changelist"


def form(**changes: Any) -> dict[str, Any]:
    """Return what the browser sends for a member of staff."""
    values = {
        "username": "lin",
        "display_name": "林小满",
        "email": "",
        "password": "a-long-secret-9",
        "is_active": "on",
        "language": "zh-hans",
        "time_zone": "Asia/Shanghai",
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


def role(code: str) -> int:
    """Return the id of that role."""
    return Role.objects.get(code=code).pk


def test_an_administrator_adds_a_member_of_staff_who_can_sign_in(client: Client) -> None:
    client.force_login(make_user("administrator"))
    team = make_team()
    answer = client.post(reverse("admin:staff_user_add"), form(roles=[role("agent")], team_list=[team.pk]))

    assert answer.status_code == 302, answer.content.decode()[-3000:]
    lin = User.objects.get(username="lin")
    assert (lin.is_staff, lin.is_superuser, lin.language) == (True, False, "zh-hans")
    assert lin.check_password("a-long-secret-9")
    assert lin.groups.get().role.code == "agent"
    assert lin.memberships.get().team == team
    entry = AuditEntry.objects.get(verb="create_user")
    assert (entry.actor, entry.detail) == ("administrator", {"roles": ["agent"]})
    assert "a-long-secret-9" not in str(entry.detail)


def test_a_weak_password_comes_back_beside_its_box_with_the_typed_text(client: Client) -> None:
    client.force_login(make_user("administrator"))
    answer = client.post(reverse("admin:staff_user_add"), form(password="12345"))

    assert answer.status_code == 200
    assert "too short" in answer.content.decode()
    assert "林小满" in answer.content.decode()
    assert not User.objects.filter(username="lin").exists()


def test_a_change_keeps_the_password_unless_a_new_one_is_typed(client: Client) -> None:
    client.force_login(make_user("administrator"))
    lin = make_user("agent", username="lin")
    url = reverse("admin:staff_user_change", args=[lin.pk])
    before = lin.password

    assert client.post(url, form(password="", roles=[role("senior_agent")])).status_code == 302
    lin.refresh_from_db()
    assert lin.password == before
    assert lin.groups.get().role.code == "senior_agent"
    client.post(url, form(roles=[role("senior_agent")]))
    lin.refresh_from_db()
    assert lin.check_password("a-long-secret-9")
    assert AuditEntry.objects.filter(verb="set_password").count() == 1


def test_nobody_changes_their_own_roles_or_deactivates_themselves(client: Client) -> None:
    me = make_user("administrator")
    client.force_login(me)
    url = reverse("admin:staff_user_change", args=[me.pk])

    client.post(url, form(username="administrator", password="", language="en", roles=[role("operations")]))
    assert me.groups.get().role.code == "administrator"
    answer = client.post(url, form(username="administrator", password="", language="en", is_active=None))
    assert "Nobody deactivates themselves" in answer.content.decode()
    me.refresh_from_db()
    assert me.is_active


def test_an_administrator_neither_makes_nor_changes_superusers(client: Client) -> None:
    root = make_user()
    client.force_login(make_user("administrator"))

    client.post(reverse("admin:staff_user_add"), form(is_superuser="on"))
    assert User.objects.get(username="lin").is_superuser is False
    answer = client.post(reverse("admin:staff_user_change", args=[root.pk]), form(username="root"))
    assert answer.status_code == 403
    root.refresh_from_db()
    assert root.check_password("secret-pass-1")


def test_the_last_active_superuser_stays(client: Client) -> None:
    root = make_user()
    client.force_login(root)
    url = reverse("admin:staff_user_change", args=[root.pk])
    sent = form(username="root", password="", is_superuser="on", is_active=None)

    answer = client.post(url, sent)
    assert "last active superuser" in answer.content.decode()
    make_user(username="second")
    assert client.post(url, sent).status_code == 302
    root.refresh_from_db()
    assert not root.is_active


def test_operations_sees_people_and_changes_none(client: Client) -> None:
    lin = make_user("agent", username="lin")
    client.force_login(make_user("operations"))
    url = reverse("admin:staff_user_change", args=[lin.pk])

    page = client.get(url)
    assert page.status_code == 200
    assert "Agent" in page.content.decode()
    assert lin.password not in page.content.decode()
    assert client.post(url, form()).status_code == 403


def test_a_team_is_made_and_its_people_change(client: Client) -> None:
    client.force_login(make_user("administrator"))
    lin, wu = make_user("agent", username="lin"), make_user("agent", username="wu")
    sent = {"name": "Night", "department": "service", "active": "on", "people": [lin.pk], "leads": [wu.pk]}
    assert client.post(reverse("admin:staff_team_add"), sent).status_code == 302

    team = Team.objects.get(name="Night")
    assert set(team.memberships.values_list("user__username", "leads")) == {("lin", False), ("wu", True)}
    url = reverse("admin:staff_team_change", args=[team.pk])
    assert client.post(url, {**sent, "people": [wu.pk], "leads": []}).status_code == 302
    assert list(team.memberships.values_list("user__username", "leads")) == [("wu", False)]


def test_what_a_role_may_do_changes_but_not_ones_own_role(client: Client) -> None:
    client.force_login(make_user("administrator"))
    make_user("agent")
    agent, own = Role.objects.get(code="agent"), Role.objects.get(code="administrator")
    view_job = Permission.objects.get(codename="view_job")

    url = reverse("admin:staff_role_change", args=[agent.pk])
    assert client.post(url, {"permissions": [view_job.pk]}).status_code == 302
    assert list(agent.group.permissions.all()) == [view_job]
    assert "view_job" in AuditEntry.objects.get(verb="update_role").detail["added"]

    before = own.group.permissions.count()
    answer = client.post(reverse("admin:staff_role_change", args=[own.pk]), {"permissions": [view_job.pk]})
    assert "Nobody changes their own role" in answer.content.decode()
    assert own.group.permissions.count() == before


def test_roles_are_shown_by_their_names(client: Client) -> None:
    client.force_login(make_user("administrator"))
    page = client.get(reverse("admin:staff_role_changelist")).content.decode()
    assert "Marketing approver" in page
    assert Group.objects.count() == 11


def test_everybody_changes_their_own_profile_and_nothing_else(client: Client) -> None:
    me = make_user("agent")
    client.force_login(me)
    url = reverse("admin:staff_profile")
    assert client.get(url).status_code == 200

    sent = {"display_name": "Ada", "language": "en", "time_zone": "Europe/Berlin", "is_superuser": "on"}
    client.cookies["django_language"] = "zh-hans"
    assert client.post(url, sent).status_code == 302
    assert client.cookies["django_language"].value == ""
    me.refresh_from_db()
    assert (me.display_name, me.time_zone, me.is_superuser) == ("Ada", "Europe/Berlin", False)
    answer = client.post(url, {**sent, "time_zone": "Mars/Olympus", "display_name": "Kept"})
    assert answer.status_code == 200
    assert "Kept" in answer.content.decode()


def test_ones_own_password_changes_at_the_usual_place(client: Client) -> None:
    client.force_login(make_user("agent"))
    assert client.get(reverse("admin:password_change")).status_code == 200


@pytest.mark.parametrize("name", [USERS, "admin:staff_team_changelist", "admin:staff_role_changelist"])
def test_the_lists_ask_the_same_number_of_questions_for_more_people(
    client: Client, name: str, django_assert_max_num_queries: Any
) -> None:
    client.force_login(make_user("administrator"))
    team = make_team()
    for number in range(20):
        user = make_user("agent", username=f"agent{number}")
        user.memberships.create(team=team)
        make_team(f"Team {number}")
    with django_assert_max_num_queries(10):
        assert client.get(reverse(name)).status_code == 200
