"""The least valid staff rows."""

from typing import Any

from notifyhub.staff.models import Role, Team, User
from notifyhub.staff.services.roles import sync_roles


def make_user(role: str | None = None, *, username: str = "", **fields: Any) -> User:
    """Return a member of staff in `role` (see staff.roles), or a superuser without one."""
    username = username or role or "root"
    if role is None:
        return User.objects.create_superuser(username=username, password="secret-pass-1", **fields)
    user = User.objects.create_user(username=username, password="secret-pass-1", is_staff=True, **fields)
    if not Role.objects.filter(code=role).exists():
        sync_roles()
    user.groups.add(Role.objects.get(code=role).group)
    return user


def make_team(name: str = "Growth", department: str = "marketing") -> Team:
    """Return a team."""
    return Team.objects.get_or_create(name=name, defaults={"department": department})[0]
