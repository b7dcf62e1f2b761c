"""The whole page as typed: what to show again, what to save, and the buttons that add and move rows.

Every button of the page posts the whole form, so that it works without a script; `act` says which was
pressed: `save`, `start` (another start was chosen), `step:add`, `step:2:up`, `filter:0:remove` …
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from notifyhub.core.errors import Refused
from notifyhub.reminders.admin.rules.forms import NIGHT, RuleForm
from notifyhub.reminders.admin.rules.rows import SETS, step_initial
from notifyhub.reminders.models import ReminderRule, RuleVersion
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.rules import RuleSpec, StepSpec, default_stops
from notifyhub.reminders.services.rules.checks import MAX_STEPS

LIMITS = {"step": MAX_STEPS, "filter": 10, "skip": 10}
MULTIPLE = ("lines", "stop_states", "goal_states")
SUGGESTED = ("stop_states", "stop_paid", "stop_held", "stop_events", "goal_paid")


def first_step() -> dict[str, Any]:
    """Return the step that a new rule begins with."""
    return {"amount": 3, "unit": "days", "side": "before", "at_time": "10:00", "channel_1": "push"}


class Typed:
    """The forms of one page: bound to what was posted, or begun from a rule, an example or nothing."""

    def __init__(self, form: RuleForm, sets: Mapping[str, Any], *, bound: bool) -> None:
        self.form, self.sets, self.bound = form, sets, bound
        self.valid = bound and all([form.is_valid(), *(one.is_valid() for one in sets.values())])

    @classmethod
    def posted(cls, post: Any) -> "Typed":
        """Return the page as posted, checked."""
        return cls(RuleForm(post), {name: kind(post, prefix=name) for name, kind in SETS.items()}, bound=True)

    @classmethod
    def begun(cls, values: dict[str, Any], rows: Mapping[str, list[dict[str, Any]]]) -> "Typed":
        """Return the page with these values, unchecked."""
        sets = {name: kind(initial=rows.get(name) or None, prefix=name) for name, kind in SETS.items()}
        return cls(RuleForm(initial=values), sets, bound=False)

    @classmethod
    def of(cls, rule: ReminderRule) -> "Typed":
        """Return the page of a rule as saved."""
        assert rule.live is not None
        steps = list(rule.live.steps.all())
        return cls.from_spec(rules.spec_of(rule), rules.step_specs_of(steps))

    @classmethod
    def new(cls) -> "Typed":
        """Return the page of a rule to be: a bill, for that is what most rules are about."""
        values = {"start": RuleVersion.Start.ORDER, "order_date": "due_at", "grace_hours": 12, "goal_days": 7}
        values |= {"max_days": 30, "holdout": 0, "off_day": "after", "priority": 1}
        values |= {"send_from": NIGHT[0], "send_until": NIGHT[1]}
        values |= default_stops(start="order", date_field="due_at")
        return cls.begun(values, {"step": [first_step()]})

    @classmethod
    def from_spec(cls, spec: RuleSpec, steps: list[StepSpec]) -> "Typed":
        """Return the page with a rule as typed elsewhere."""
        values = {one.name: getattr(spec, one.name) for one in fields(spec)}
        for place, name in (("order", "order_date"), ("customer", "profile_field"), ("event", "event_date")):
            values[name] = spec.date_field if spec.start == place else ""
        values["night"] = spec.send_from is not None
        values["send_from"], values["send_until"] = spec.send_from or NIGHT[0], spec.send_until or NIGHT[1]
        values["owner_team"] = spec.owner_team.pk if spec.owner_team else None
        values["calendar"] = spec.calendar.pk if spec.calendar else None
        return cls.begun(
            values,
            {
                "step": [step_initial(step) for step in steps],
                "filter": [_filter_initial(one) for one in spec.event_filters],
                "skip": [_skip_initial(one) for one in spec.skips],
            },
        )

    def spec(self) -> tuple[RuleSpec, list[StepSpec]]:
        """Return what was understood of it; a page that is not valid gives as much as there is."""
        values = self.form.values()
        values.setdefault("name", "")
        values.setdefault("start", RuleVersion.Start.ORDER)
        spec = RuleSpec(**values)
        spec = replace(
            spec,
            event_filters=[one for row in self.sets["filter"] if (one := row.condition())],
            skips=[one for row in self.sets["skip"] if (one := row.condition())],
        )
        return spec, [one for row in self.sets["step"] if (one := row.spec())]

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal at its field, be it in a row."""
        name = refusal.field or ""
        if name == "date_field":
            name = self.form.date_field()
        kind, _dot, rest = name.partition(".")
        prefix = {"steps": "step", "event_filters": "filter", "skips": "skip"}.get(kind)
        place, _dot, column = rest.partition(".")
        if prefix and place.isdecimal() and int(place) < len(self.sets[prefix].forms):
            row = self.sets[prefix].forms[int(place)]
            column = {"chain": "channel_1"}.get(column, column)
            column = column if column in row.fields else f"p_{column}"
            row.add_error(column if column in row.fields else None, str(refusal))
            return
        refusal.field = name
        self.form.refuse(refusal)


def _filter_initial(one: dict[str, Any]) -> dict[str, Any]:
    value = one.get("value", "")
    text = ", ".join(str(part) for part in value) if isinstance(value, list) else value
    return {"property": one["property"], "operator": one["operator"], "value": text}


def _skip_initial(one: dict[str, Any]) -> dict[str, Any]:
    return {"kind": one.get("kind"), **{f"p_{name}": value for name, value in one.items() if name != "kind"}}


def rows_of(post: Any, prefix: str) -> list[dict[str, Any]]:
    """Return the rows of a kind as posted, in order."""
    total = post.get(f"{prefix}-TOTAL_FORMS", "")
    count = min(int(total), LIMITS[prefix]) if total.isdecimal() and len(total) < 4 else 0
    rows: list[dict[str, Any]] = [{} for _place in range(count)]
    for name in post:
        kind, _dash, rest = name.partition("-")
        place, _dash, column = rest.partition("-")
        if kind == prefix and place.isdecimal() and len(place) < 4 and int(place) < count and column:
            rows[int(place)][column] = post.get(name)
    return rows


def act_on(post: Any, act: str) -> Typed:
    """Return the page after one of its buttons, with rows added, moved or removed; nothing is checked."""
    values = {
        name: post.getlist(name) if name in MULTIPLE else post.get(name) for name in RuleForm.base_fields
    }
    rows = {prefix: rows_of(post, prefix) for prefix in SETS}
    prefix, _colon, rest = act.partition(":")
    place, _colon, verb = rest.rpartition(":")
    if act == "start":
        values |= _suggested_anew(post, values)
    elif prefix in SETS and verb == "add" and len(rows[prefix]) < LIMITS[prefix]:
        rows[prefix].append(_another(prefix, rows[prefix]))
    elif prefix in SETS and place.isdecimal() and len(place) < 4 and int(place) < len(rows[prefix]):
        _move(rows[prefix], int(place), verb)
    return Typed.begun(values, rows)


def _another(prefix: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the next row: a step goes on like the one before it, nearer to the date or after it."""
    if prefix != "step" or not rows:
        return first_step() if prefix == "step" else {}
    last = {name: value for name, value in rows[-1].items() if not name.startswith("repeat")}
    amount = str(last.get("amount") or "")
    if last.get("side") == "after" and amount.isdecimal() and len(amount) < 4:
        return {**last, "number": "", "amount": str(max(int(amount), 1) * 2 + (amount == "1"))}
    side = "after" if amount == "1" else last.get("side")
    return {**last, "number": "", "amount": "1", "side": side}


def _move(rows: list[dict[str, Any]], place: int, verb: str) -> None:
    if verb == "remove":
        del rows[place]
    other = place + {"up": -1, "down": 1}.get(verb, 0)
    if other != place and 0 <= other < len(rows):
        rows[place], rows[other] = rows[other], rows[place]


def start_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return start, date_field and event_name of what is typed."""
    start = str(values.get("start") or "")
    name = {"order": "order_date", "customer": "profile_field"}.get(start, "event_date")
    event = str(values.get("event_name") or "") if start == RuleVersion.Start.EVENT else ""
    return {"start": start, "date_field": str(values.get(name) or ""), "event_name": event}


def _suggested_anew(post: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return the stops that suit the new start, where those of the former one were left as suggested."""
    was = post.get("was", "||").split("|")
    if len(was) != 3:
        return {}
    former = default_stops(start=was[0], date_field=was[1], event_name=was[2])
    wanted = default_stops(**start_of(values))
    typed = RuleForm(post)
    typed.is_valid()
    changed = {}
    for name in SUGGESTED:
        now = typed.cleaned_data.get(name)
        same = (
            sorted(now or []) == sorted(former[name])
            if isinstance(former[name], list)
            else bool(now) == former[name]
        )
        if same:
            changed[name] = wanted[name]
    return changed


def needs_money_stops(values: Mapping[str, Any], spec: RuleSpec) -> bool:
    """Say whether it asks for money and yet goes on after the money is settled or in question."""
    suggested = default_stops(**start_of(values))
    return bool(suggested["stop_paid"]) and (
        not spec.stop_paid
        or not spec.stop_held
        or bool({"refunded", "disputed", "cancelled"} - set(spec.stop_states or ()))
    )
