"""The steps of a fallback chain as a form: a channel, how long it waits in which unit, and for what."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.customers.models.consent import Channel

UNITS = (
    ("minutes", 60, gettext_lazy("minutes")),
    ("hours", 3600, gettext_lazy("hours")),
    ("days", 86400, gettext_lazy("days")),
)
UNTILS = (("delivered", gettext_lazy("not delivered")), ("read", gettext_lazy("not read")))
SECONDS = {name: seconds for name, seconds, _label in UNITS}


def steps_as_form(steps: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return saved steps as the form shows them, each wait in the largest unit that needs no fraction."""
    rows = []
    for step in steps:
        wait = step.get("wait")
        unit = next((name for name, size, _label in reversed(UNITS) if wait and wait % size == 0), "hours")
        rows.append(
            {
                "channel": str(step["channel"]),
                "amount": "" if wait is None else _amount(wait, unit),
                "unit": unit,
                "until": str(step.get("until") or "delivered"),
            }
        )
    return rows


def _amount(wait: int, unit: str) -> str:
    amount = wait / SECONDS[unit]
    return str(int(amount)) if amount == int(amount) else f"{amount:.4g}"


def typed_steps(data: QueryDict) -> list[dict[str, str]]:
    """Return the steps as typed, in the order of the page."""
    return [
        {
            "channel": name,
            "amount": data.get(f"wait_{name}", "").strip()[:12],
            "unit": data.get(f"unit_{name}", "hours"),
            "until": data.get(f"until_{name}", "delivered"),
        }
        for name in data.getlist("chain")[:20]
    ]


def read_steps(rows: Iterable[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the steps as update_campaign takes them; Refused if a wait is no number."""
    steps = []
    for row in rows:
        step: dict[str, Any] = {"channel": row["channel"], "until": row["until"]}
        if row["amount"]:
            step["wait"] = _seconds(row)
        steps.append(step)
    return steps


def _seconds(row: Mapping[str, str]) -> int:
    label = dict(Channel.choices).get(row["channel"], row["channel"])
    try:
        amount = float(row["amount"])
    except ValueError:
        amount = -1.0
    # Also false for what is not a number at all.
    if not 0 <= amount <= 1e6 or row["unit"] not in SECONDS:
        raise Refused(
            _("Write how long %s waits as a number, or leave it empty to wait for nothing.") % label,
            field="chain",
        )
    return round(amount * SECONDS[row["unit"]])
