"""Turning role grants into groups, without undoing what an administrator changed."""

from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

from notifyhub.core.registry import role_grants
from notifyhub.staff.models import Role
from notifyhub.staff.roles import ROLES


def granted_by_code() -> dict[str, set[str]]:
    """Return the permissions ("app.codename") that the apps grant to each role."""
    wanted: dict[str, set[str]] = {role: set() for role in ROLES}
    for grants in role_grants:
        for grant in grants:
            wanted[grant.role].update(grant.permissions)
    return wanted


def sync_roles() -> int:
    """Make each role's group and add grants that are new since the last sync; return how many were added.

    A grant already handed out once is not handed out again, so one that an administrator took away stays
    away, and one that an administrator added stays.
    """
    added = 0
    for code, wanted in granted_by_code().items():
        role = Role.objects.select_related("group").filter(code=code).first()
        if role is None:
            group, _ = Group.objects.get_or_create(name=code)
            role = Role.objects.create(code=code, group=group, synced=[])
        new = sorted(wanted - set(role.synced))
        if not new:
            continue
        query = Q(pk__in=[])
        for name in new:
            app, _, codename = name.partition(".")
            query |= Q(content_type__app_label=app, codename=codename)
        found = list(Permission.objects.filter(query).select_related("content_type"))
        role.group.permissions.add(*found)
        known = {f"{p.content_type.app_label}.{p.codename}" for p in found}
        Role.objects.filter(pk=role.pk).update(synced=sorted(set(role.synced) | known))
        added += len(known)
    return added


def sync_roles_after_migrate(sender: Any, **kwargs: Any) -> None:
    """Receiver of every app's post_migrate: sync once, after the last app has made its permissions."""
    last = [config for config in apps.get_app_configs() if config.models_module is not None][-1]
    if sender is last:
        sync_roles()
