"""Is the machinery well? The checks of the ground floor; upper apps register theirs beside them."""

from collections.abc import Callable
from datetime import timedelta

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from kombu import Connection

from notifyhub.core.registry import Finding, doctor_checks
from notifyhub.core.templatetags.nh import duration
from notifyhub.staff.models import AuditEntry, NodeBeat, TickLease
from notifyhub.staff.services.calendars import default_calendar, years_entered
from notifyhub.staff.services.heartbeats import (
    BEAT,
    CANARY,
    CANARY_EVERY,
    QUEUES,
    WORKER,
    is_slow,
    waiting_seconds,
)
from notifyhub.staff.services.rotation import encrypted_columns

SAMPLE = 500
# A canary leaves with the first tick, or one period after the last; a tick more until it is stamped.
WARM_UP = CANARY_EVERY + 15

UTC_NAMES = frozenset(("UTC", "Etc/UTC", "GMT", "Etc/GMT"))


def check_database() -> Finding:
    """Say whether the database answers, and which one it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), reset_val FROM pg_settings WHERE name = 'TimeZone'"
        )
        version, zone = cursor.fetchone()
    # Behind such a pooler what a session sets at its beginning reaches one of the server's connections.
    if settings.DATABASE_POOL == "transaction" and zone not in UTC_NAMES:
        return Finding(
            level="warning",
            message=_(
                "Sessions of the database begin in the time zone %(zone)s; behind a pooler they must begin in"
                " UTC: ALTER ROLE … SET timezone = 'UTC'."
            )
            % {"zone": zone},
            data={"version": version, "time_zone": zone},
        )
    return Finding(
        level="ok",
        message=_("The database answers (PostgreSQL %(version)s).") % {"version": version},
        data={"version": version},
    )


def check_broker() -> Finding:
    """Say whether the broker answers within two seconds."""
    options = {"socket_timeout": 2, "socket_connect_timeout": 2}
    try:
        with Connection(settings.BROKER_URL, connect_timeout=2, transport_options=options) as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except Exception as error:
        return Finding(
            level="error",
            message=_("The broker cannot be reached: work waits for it, none is lost. Check BROKER_URL."),
            data={"error": type(error).__name__},
        )
    return Finding(level="ok", message=_("The broker answers."))


def check_migrations() -> Finding:
    """Say whether all migrations are applied."""
    executor = MigrationExecutor(connection)
    missing = [str(step) for step, _back in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    if missing:
        return Finding(
            level="error",
            message=ngettext(
                "%(n)d migration is not applied. Run manage.py migrate.",
                "%(n)d migrations are not applied. Run manage.py migrate.",
                len(missing),
            )
            % {"n": len(missing)},
            data={"missing": missing[:50]},
        )
    return Finding(level="ok", message=_("All migrations are applied."), data={"missing": []})


def _age(row: NodeBeat | None) -> float | None:
    return None if row is None else round((timezone.now() - row.at).total_seconds(), 1)


def _warming(queue: str) -> bool:
    """Say whether every living worker of that queue started so lately that nothing can have come through."""
    edge = timezone.now() - timedelta(seconds=45)
    starts = [
        parse_datetime(row.detail.get("started", "")) or row.at - timedelta(days=1)
        for row in NodeBeat.objects.filter(kind=WORKER, at__gte=edge)
        if queue in row.queues.split(",")
    ]
    return bool(starts) and min(starts) > timezone.now() - timedelta(seconds=WARM_UP)


def check_beat() -> Finding:
    """Say how long ago beat rang; the housekeeping worker that hears it may have just started."""
    age = _age(NodeBeat.objects.filter(name=BEAT).first())
    limit = max(30, settings.TICK_SECONDS * 4)
    data = {"age_seconds": age, "limit_seconds": limit}
    if (age is None or age > limit) and _warming("housekeeping"):
        return Finding(level="ok", message=_("Warming up: beat has not rung yet."), data=data)
    if age is None:
        return Finding(level="error", message=_("Beat has never rung. Start it, and a worker."), data=data)
    if age > limit:
        return Finding(
            level="error",
            message=_("Beat rang last %(age)d s ago: it, or the housekeeping worker, has stopped.")
            % {"age": age},
            data=data,
        )
    return Finding(level="ok", message=_("Beat rang %(age)d s ago.") % {"age": age}, data=data)


def check_canaries() -> Finding:
    """Say how long ago a canary came through each queue."""
    rows = {row.queues: row for row in NodeBeat.objects.filter(kind=CANARY)}
    ages = {queue: _age(rows.get(queue)) for queue in QUEUES}
    silent = [queue for queue, age in ages.items() if age is None or age > 120]
    if silent and all(_warming(queue) for queue in silent):
        return Finding(
            level="ok",
            message=_("Warming up: the first canary is on its way through %(queues)s.")
            % {"queues": ", ".join(map(_, silent))},
            data={"age_seconds": ages, "warming_up": silent},
        )
    if silent:
        return Finding(
            level="error",
            message=_("Nothing has come through these queues lately: %(queues)s. Are their workers up?")
            % {"queues": ", ".join(map(_, silent))},
            data={"age_seconds": ages},
        )
    waits = {queue: round(waiting_seconds(row), 1) for queue, row in rows.items()}
    slow = [queue for queue, row in rows.items() if is_slow(row) and not _warming(queue)]
    data = {"age_seconds": ages, "waiting_seconds": waits}
    if slow:
        return Finding(
            level="warning",
            message=_("Work waits longer than it should for a free worker: %(queues)s.")
            % {"queues": ", ".join(f"{_(queue)} {duration(round(waits[queue]))}" for queue in sorted(slow))},
            data=data,
        )
    return Finding(level="ok", message=_("Each queue is served."), data=data)


def check_workers() -> Finding:
    """Say which worker nodes live and which have gone silent without a clean stop."""
    rows = list(NodeBeat.objects.filter(kind=WORKER))
    edge = timezone.now() - timedelta(seconds=45)
    alive = [row.name for row in rows if row.at >= edge]
    silent = [row.name for row in rows if row.at < edge]
    data = {"alive": alive, "silent": silent}
    if not alive:
        return Finding(level="error", message=_("No worker is alive."), data=data)
    if silent:
        return Finding(
            level="warning",
            message=_("Silent workers: %(names)s. What they held goes to others.")
            % {"names": ", ".join(silent)},
            data=data,
        )
    return Finding(
        level="ok",
        message=ngettext("%(n)d worker is alive.", "%(n)d workers are alive.", len(alive))
        % {"n": len(alive)},
        data=data,
    )


def check_ticks() -> Finding:
    """Say which ticks failed in their last run."""
    failing = {row.name: row.error.splitlines()[0][:200] for row in TickLease.objects.exclude(error="")}
    if failing:
        return Finding(
            level="error",
            message=_("These ticks failed in their last run: %(names)s.") % {"names": ", ".join(failing)},
            data={"failing": failing},
        )
    return Finding(level="ok", message=_("No tick fails."), data={"failing": {}})


def check_field_keys() -> Finding:
    """Say whether each stored value names a key that is configured.

    Looks at the oldest and the newest rows of each encrypted column: rotation moves in that order.
    """
    known = {item.partition(":")[0] for item in settings.FIELD_KEYS}
    used = _key_ids()
    missing = sorted(used - known)
    data = {"configured": sorted(known), "in_use": sorted(used), "missing": missing}
    if missing:
        return Finding(
            level="error",
            message=_("Stored personal data needs these keys, which FIELD_KEYS lacks: %(keys)s.")
            % {"keys": ", ".join(missing)},
            data=data,
        )
    return Finding(level="ok", message=_("Every key in use is configured."), data=data)


def check_audit() -> Finding:
    """Say whether the audit trail is sealed up to now."""
    newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    waiting = AuditEntry.objects.filter(link=None, pk__gt=newest - 20_000).order_by("pk")
    oldest = waiting.values_list("at", flat=True).first()
    age = round((timezone.now() - oldest).total_seconds(), 1) if oldest else 0
    data = {"oldest_unsealed_seconds": age}
    if age > 300:
        return Finding(
            level="warning", message=_("Audit entries wait longer than 5 minutes for their seal."), data=data
        )
    return Finding(level="ok", message=_("The audit trail is sealed up to now."), data=data)


def check_calendar() -> Finding:
    """Say whether the holidays of this year, and late in it of the next, are entered."""
    calendar = default_calendar()
    if calendar is None:
        return Finding(level="warning", message=_("No calendar of working days is the default one."))
    today = timezone.localdate()
    # The next year's are announced in November.
    wanted = [today.year, *([today.year + 1] if today.month >= 11 else [])]
    missing = [year for year in wanted if year not in years_entered(calendar)]
    if missing:
        return Finding(
            level="warning",
            message=_("Holidays of %(years)s are not entered yet: until they are, the weekday decides.")
            % {"years": ", ".join(map(str, missing))},
            data={"missing": missing},
        )
    return Finding(level="ok", message=_("Holidays are entered."), data={"missing": []})


def _key_ids() -> set[str]:
    """Return the keys that the ends of all columns of ciphertext name, by one statement."""
    quote, ends = connection.ops.quote_name, []
    for sealed in encrypted_columns().values():
        meta = apps.get_model(sealed.model)._meta
        column = quote(str(meta.get_field(sealed.field).column))
        key = quote(sealed.oldest_by or str(meta.pk.column))
        ends += [
            f"(SELECT substring({column} FROM 1 FOR 21) AS v FROM {quote(meta.db_table)}"
            f" WHERE {column} IS NOT NULL ORDER BY {key} {way} LIMIT {SAMPLE})"
            for way in ("ASC", "DESC")
        ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT substring(v FROM 2 FOR get_byte(v, 0))"
            f" FROM ({' UNION ALL '.join(ends)}) AS ends WHERE octet_length(v) > 1"
        )
        return {bytes(row[0]).decode("utf-8", "replace") for row in cursor.fetchall()}


CHECKS: list[tuple[str, Callable[[], Finding]]] = [
    ("database", check_database),
    ("broker", check_broker),
    ("migrations", check_migrations),
    ("beat", check_beat),
    ("canary", check_canaries),
    ("workers", check_workers),
    ("ticks", check_ticks),
    ("audit", check_audit),
    ("field_keys", check_field_keys),
    ("calendar", check_calendar),
]


def register() -> None:
    """Hand the staff app's checks to the registry."""
    for order, (name, check) in enumerate(CHECKS):
        doctor_checks.register(name, check, order=order)
