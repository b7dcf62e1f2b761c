"""A version as a row of SQL, saved or not, so that the expressions that stop can be asked about it."""

from typing import Any

from django.db import connection, transaction
from django.db.utils import OperationalError
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.reminders.models import ReminderStep, RuleVersion

TIMEOUT = "20s"

_TYPES = {
    "start": "text",
    "event_name": "text",
    "subject_property": "text",
    "again": "text",
    "stop_matching": "text",
    "newer_cancels": "boolean",
    "stop_paid": "boolean",
    "stop_held": "boolean",
    "stop_reacted": "boolean",
    "goal_paid": "boolean",
    "stop_states": "varchar[]",
    "goal_states": "varchar[]",
    "stop_events": "varchar[]",
    "goal_events": "varchar[]",
}
# A rule that is not active yet is tried as if it were.
RULE_ROW = "(SELECT 'active'::text AS state) ru"


def version_row(version: RuleVersion) -> tuple[str, dict[str, Any]]:
    """Return (sql, params) of a table `v` with the version as its only row."""
    columns = ", ".join(f"%(v_{name})s::{kind} AS {name}" for name, kind in _TYPES.items())
    return f"(SELECT {columns}) v", {f"v_{name}": getattr(version, name) for name in _TYPES}


def steps_of(version: RuleVersion, steps: list[ReminderStep] | None) -> list[ReminderStep]:
    """Return the steps named, or those of the saved version."""
    return steps if steps is not None else list(version.steps.select_related("template__topic"))


def ask(sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows as dicts; raise Refused if the answer takes too long."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{TIMEOUT}'; SET LOCAL jit = off")
            cursor.execute(sql, params)
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            cursor.execute("SET LOCAL statement_timeout = 0")
            return rows
    except OperationalError as error:
        raise Refused(_("Counting takes too long. Narrow the rule down.")) from error
