"""Adding and changing members of staff, their teams and what their roles may do."""

import secrets
from collections.abc import Iterable
from typing import Any

from axes.utils import reset
from django.contrib.auth.models import Permission
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.staff.models import Membership, Role, Team, User
from notifyhub.staff.roles import ADMINISTRATOR
from notifyhub.staff.services import audit
from notifyhub.staff.services.roles import sync_roles

PLAIN = ("username", "display_name", "email", "language", "time_zone", "is_active", "is_superuser")
OWN = ("display_name", "language", "time_zone")


def create_first_administrator() -> tuple[User, str] | None:
    """Create the superuser "admin"; return it with its password, or None if there is a superuser."""
    if User.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            user = User.objects.create_superuser(username="admin", password=password)
            sync_roles()
            user.groups.add(Role.objects.get(code=ADMINISTRATOR).group)
            audit.record(verb="create_user", obj=user)
    except IntegrityError:
        # Somebody is called "admin" already, or a second bootstrap was a moment faster.
        return None
    return user, password


@transaction.atomic
def create_user(
    *,
    by: User,
    username: str,
    password: str,
    roles: Iterable[Role] = (),
    team_list: Iterable[Team] = (),
    **fields: Any,
) -> User:
    """Add a member of staff with roles and teams; return them."""
    if fields.get("is_superuser") and not by.is_superuser:
        raise Refused(_("Only a superuser makes superusers."), field="is_superuser")
    user = User(username=username, is_staff=True, **{k: v for k, v in fields.items() if k in PLAIN})
    _set_password(user, password)
    user.save(force_insert=True)
    _set_roles(user, roles)
    _set_teams(user, team_list)
    audit.record(verb="create_user", obj=user, roles=[role.code for role in roles])
    return user


@transaction.atomic
def update_user(*, by: User, user_id: int, changes: dict[str, Any]) -> None:
    """Change a member of staff; raise Refused for what the one who asks may not change."""
    user = User.objects.select_for_update().get(pk=user_id)
    _refuse_reaching_up(by=by, user=user, changes=changes)
    _refuse_last_superuser(user=user, changes=changes)
    plain = {name: value for name, value in changes.items() if name in PLAIN}
    if plain:
        User.objects.filter(pk=user_id).update(**plain)
    if "roles" in changes:
        _set_roles(user, changes["roles"])
    if "team_list" in changes:
        _set_teams(user, changes["team_list"])
    if changes.get("password"):
        _set_password(user, changes["password"])
        User.objects.filter(pk=user_id).update(password=user.password)
        # Whoever was locked out for wrong passwords gets in with the new one.
        reset(username=user.username)
        audit.record(verb="set_password", obj=user)
    told = sorted(name for name in changes if name != "password")
    if told:
        detail: dict[str, Any] = {"fields": told}
        if "roles" in changes:
            detail["roles"] = [role.code for role in changes["roles"]]
        audit.record(verb="update_user", obj=user, **detail)


def _refuse_reaching_up(*, by: User, user: User, changes: dict[str, Any]) -> None:
    if by.is_superuser:
        return
    if user.is_superuser:
        raise Refused(_("Only a superuser changes a superuser."))
    if "is_superuser" in changes:
        raise Refused(_("Only a superuser makes superusers."), field="is_superuser")
    if by.pk == user.pk and "roles" in changes:
        raise Refused(_("Nobody changes their own roles. Ask another administrator."), field="roles")
    if by.pk == user.pk and changes.get("is_active") is False:
        raise Refused(_("Nobody deactivates themselves. Ask another administrator."), field="is_active")


def _refuse_last_superuser(*, user: User, changes: dict[str, Any]) -> None:
    leaves = changes.get("is_active") is False or changes.get("is_superuser") is False
    if not (user.is_superuser and leaves):
        return
    # The rows are locked, so that two superusers cannot retire each other at the same moment.
    others = User.objects.select_for_update().filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    if not list(others):
        field = "is_active" if "is_active" in changes else "is_superuser"
        raise Refused(_("This is the last active superuser. Make another one first."), field=field)


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Refused(" ".join(error.messages), field="password") from None
    user.set_password(password)


def _set_roles(user: User, roles: Iterable[Role]) -> None:
    # Groups that are no role's stay as they are.
    others = user.groups.filter(role=None)
    user.groups.set([*others, *(role.group for role in roles)])


def _set_teams(user: User, teams: Iterable[Team]) -> None:
    wanted = {team.pk for team in teams}
    user.memberships.exclude(team_id__in=wanted).delete()
    kept = set(user.memberships.values_list("team_id", flat=True))
    Membership.objects.bulk_create(Membership(user=user, team_id=pk) for pk in sorted(wanted - kept))


@transaction.atomic
def update_profile(*, user: User, changes: dict[str, Any]) -> None:
    """Let a member of staff change their own name, language and time zone."""
    own = {name: value for name, value in changes.items() if name in OWN}
    if own:
        User.objects.filter(pk=user.pk).update(**own)
        audit.record(verb="update_profile", obj=user, fields=sorted(own))


@transaction.atomic
def create_team(
    *,
    name: str,
    department: str,
    active: bool = True,
    people: Iterable[User] = (),
    leads: Iterable[User] = (),
) -> Team:
    """Add a team with its members; return it."""
    team = Team.objects.create(name=name, department=department, active=active)
    _set_people(team, people, leads)
    audit.record(verb="create_team", obj=team)
    return team


@transaction.atomic
def update_team(*, team_id: int, changes: dict[str, Any]) -> None:
    """Change a team's name, department, members or leads."""
    team = Team.objects.select_for_update().get(pk=team_id)
    plain = {name: changes[name] for name in ("name", "department", "active") if name in changes}
    if plain:
        Team.objects.filter(pk=team_id).update(**plain)
    if "people" in changes or "leads" in changes:
        people = changes.get("people", [m.user for m in team.memberships.select_related("user")])
        leads = changes.get("leads", [m.user for m in team.memberships.filter(leads=True)])
        _set_people(team, people, leads)
    audit.record(verb="update_team", obj=team, fields=sorted(changes))


def _set_people(team: Team, people: Iterable[User], leads: Iterable[User]) -> None:
    heads = {user.pk for user in leads}
    wanted = {user.pk for user in people} | heads
    team.memberships.exclude(user_id__in=wanted).delete()
    kept = set(team.memberships.values_list("user_id", flat=True))
    Membership.objects.bulk_create(
        Membership(team=team, user_id=pk, leads=pk in heads) for pk in sorted(wanted - kept)
    )
    team.memberships.filter(user_id__in=heads).update(leads=True)
    team.memberships.exclude(user_id__in=heads).update(leads=False)


@transaction.atomic
def update_role(*, by: User, role_id: int, permission_ids: Iterable[int]) -> None:
    """Set what a role may do; raise Refused for a role that the one who asks has themselves."""
    role = Role.objects.select_for_update().select_related("group").get(pk=role_id)
    if not by.is_superuser and by.groups.filter(pk=role.group_id).exists():
        raise Refused(_("Nobody changes their own role. Ask another administrator."), field="permissions")
    before = set(role.group.permissions.values_list("codename", flat=True))
    role.group.permissions.set(Permission.objects.filter(pk__in=list(permission_ids)))
    after = set(role.group.permissions.values_list("codename", flat=True))
    audit.record(verb="update_role", obj=role, added=sorted(after - before), removed=sorted(before - after))
