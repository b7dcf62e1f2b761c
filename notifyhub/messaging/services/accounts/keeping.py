"""Accounts with providers: made and changed by the settings that their backend declares."""

import json
from collections.abc import Collection, Mapping
from datetime import time
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.channels.base import Backend, SettingField
from notifyhub.messaging.channels.registry import backends, backends_for
from notifyhub.messaging.engine.limits import OFFERS
from notifyhub.messaging.models import ProviderAccount
from notifyhub.messaging.models.provider import OpensCases
from notifyhub.messaging.services.accounts.values import read_value
from notifyhub.messaging.services.retiming import Outcome, move_planned
from notifyhub.staff.services import audit

PLAIN = ("name", "priority", "rate_per_second", "active", "open_from", "open_until", "opens_cases")
# Vendors of SMS take offers by day only; what is handed over at night they refuse or keep.
SMS_DAY = (time(8), time(21))


def usual_hours(*, channel: str, backend: str) -> dict[str, time]:
    """Return the hours with which an account of that backend begins, by field; nothing if it has none."""
    found = backends.get(backend)
    if channel == Channel.SMS and found is not None and found.real:
        return dict(zip(("open_from", "open_until"), SMS_DAY, strict=True))
    return {}


def settings_of(account: ProviderAccount) -> dict[str, Any]:
    """Return the settings of an account for a form: its plain ones, without the secrets."""
    return {name: value for name, value in account.config.items() if name in _fields(account.backend)}


def secrets_set(account: ProviderAccount) -> set[str]:
    """Return the names of the secrets that the account has."""
    return set(json.loads(account.secrets or "{}"))  # type: ignore[arg-type]


@transaction.atomic
def create_account(
    *,
    channel: str,
    backend: str,
    name: str,
    values: Mapping[str, Any],
    priority: int = 100,
    rate_per_second: int = 1000,
    active: bool = True,
    open_from: time | None = None,
    open_until: time | None = None,
    opens_cases: str = OpensCases.SERVICE,
) -> ProviderAccount:
    """Create an account from the values of its backend's fields; return it.

    Secret values are stored encrypted and never shown again. Raises Refused (field = its name).
    """
    if channel not in Channel.values:
        raise Refused(_("This channel is unknown: %s") % channel, field="channel")
    if backend not in {one.code for one in backends_for(channel)}:
        raise Refused(_("This backend does not serve the channel: %s") % backend, field="backend")
    config, secrets = _read_values(backend, values, known={}, known_secrets={})
    _check_hours(open_from, open_until)
    try:
        with transaction.atomic():
            account = ProviderAccount.objects.create(
                channel=channel,
                backend=backend,
                name=_name(name),
                config=config,
                secrets=json.dumps(secrets) if secrets else None,
                priority=priority,
                rate_per_second=_rate(rate_per_second),
                active=active,
                open_from=open_from,
                open_until=open_until,
                opens_cases=_opens_cases(opens_cases),
            )
    except IntegrityError as error:
        raise Refused(_("Another account has this name already."), field="name") from error
    audit.record(verb="create_account", obj=account, channel=channel, backend=backend)
    return account


@transaction.atomic
def update_account(
    *,
    account_id: int,
    version: int | None,
    values: Mapping[str, Any] | None = None,
    cleared: Collection[str] = (),
    **changes: Any,
) -> ProviderAccount:
    """Change an account; return it. `changes` are name, priority, rate_per_second, active, its hours
    and which replies open cases.

    Only the settings named in `values` change; an empty secret keeps the one there is, unless it is named in
    `cleared`. Raises Conflict if somebody changed the account since `version`, Refused if a value cannot be.
    """
    account = ProviderAccount.objects.select_for_update().filter(pk=account_id).first()
    if account is None:
        raise Refused(_("There is no such account."), code="missing")
    if version is not None and account.version != version:
        raise Conflict(
            _("Somebody changed this account meanwhile. Your entries are kept; compare and save again."),
            current=account.version,
        )
    unknown = set(changes) - set(PLAIN)
    if unknown:
        raise Refused(_("These fields cannot be changed: %s") % ", ".join(sorted(unknown)))
    if "name" in changes:
        changes["name"] = _name(changes["name"])
    if "rate_per_second" in changes:
        changes["rate_per_second"] = _rate(changes["rate_per_second"])
    if "opens_cases" in changes:
        changes["opens_cases"] = _opens_cases(changes["opens_cases"])
    touched = sorted({*changes, *(values or ()), *cleared})
    before = (account.open_from, account.open_until, account.active)
    for field, value in changes.items():
        setattr(account, field, value)
    _check_hours(account.open_from, account.open_until)
    if values is not None or cleared:
        kept: dict[str, str] = json.loads(account.secrets or "{}")  # type: ignore[arg-type]
        config, secrets = _read_values(
            account.backend,
            values or {},
            known=account.config,
            known_secrets={name: value for name, value in kept.items() if name not in cleared},
        )
        account.config = config
        account.secrets = json.dumps(secrets) if secrets else None
    account.version += 1
    try:
        with transaction.atomic():
            # save(), since the row keeps a history; the row is locked and was read under the lock.
            account.save()
    except IntegrityError as error:
        raise Refused(_("Another account has this name already."), field="name") from error
    planned = Outcome()
    if (account.open_from, account.open_until, account.active) != before:
        planned = move_planned(classes=OFFERS, channels=[account.channel])
    audit.record(
        verb="update_account",
        obj=account,
        fields=touched,
        cleared=sorted(cleared),
        batches_moved=planned.moved,
    )
    return account


def _fields(backend: str) -> dict[str, SettingField]:
    found: type[Backend] | None = backends.get(backend)
    return {one.name: one for one in found.fields} if found else {}


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 80:
        raise Refused(_("Give the account a name of at most 80 characters."), field="name")
    return name


def _check_hours(since: time | None, until: time | None) -> None:
    if (since is None) != (until is None):
        missing = "open_from" if since is None else "open_until"
        raise Refused(_("Opening hours need a beginning and an end."), field=missing)


def _rate(rate: int) -> int:
    if rate < 1:
        raise Refused(_("The rate must be at least one message a second."), field="rate_per_second")
    return rate


def _opens_cases(choice: str) -> str:
    if choice not in OpensCases.values:
        raise Refused(_("Choose one of the list."), field="opens_cases")
    return choice


def _read_values(
    backend: str, values: Mapping[str, Any], *, known: dict[str, Any], known_secrets: dict[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return (settings, secrets) with `values` read by their declared kinds over what is known."""
    fields = _fields(backend)
    for name in values:
        if name not in fields:
            raise Refused(
                _("“%(backend)s” has no setting “%(name)s”. It has: %(names)s.")
                % {"backend": backend, "name": name, "names": ", ".join(fields) or "—"},
                field=name,
            )
    config, secrets = dict(known), dict(known_secrets)
    for name, one in fields.items():
        if name in values and one.secret:
            if str(values[name]):
                secrets[name] = str(values[name])
        elif name in values:
            config[name] = read_value(one, values[name])
        else:
            config.setdefault(name, one.default) if not one.secret else None
        given = secrets.get(name) if one.secret else config.get(name)
        if one.required and given in (None, ""):
            raise Refused(_("%s is missing.") % one.label, field=name)
    found = backends.get(backend)
    if found is not None:
        found.check_settings({one.name: one.default for one in found.fields} | config | secrets)
    return config, secrets


def backend_of(account: ProviderAccount) -> Backend | None:
    """Return the account's backend with settings and secrets, not connected; None if there is none."""
    found = backends.get(account.backend)
    if found is None:
        return None
    return found({**account.config, **json.loads(account.secrets or "{}")})  # type: ignore[arg-type]
