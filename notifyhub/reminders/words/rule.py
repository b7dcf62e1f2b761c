"""Start, end, exceptions, hours, limits and goal in words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifyhub.customers.models import Order
from notifyhub.customers.words import attribute_words, event_words
from notifyhub.reminders.models import RuleVersion
from notifyhub.reminders.registry import field_words, skip_conditions
from notifyhub.reminders.services.filters import OPERATORS
from notifyhub.reminders.words.steps import step_words

Start = RuleVersion.Start


class Part(NamedTuple):
    """What a rule says in one respect: `key` tells the respects apart."""

    key: str
    title: str
    sentences: list[str]


def describe(rule: Any, steps: Sequence[Any]) -> list[Part]:
    """Return the rule in words. `rule` is a RuleVersion or a RuleSpec: both have its fields."""
    return [
        Part("start", _("It starts"), _start(rule)),
        Part("steps", _("It sends"), [step_words(step) for step in steps] or [_("Nothing yet: add a step.")]),
        Part("ends", _("It ends"), _ends(rule)),
        Part("skips", _("It leaves out"), _skips(rule)),
        Part("when", _("It may go"), _hours(rule) + _limits(rule)),
        Part("goal", _("It is measured by"), _goal(rule)),
    ]


def listed(words: Sequence[Any]) -> str:
    """Return words with commas between."""
    return _(", ").join(str(word) for word in words)


def _states(codes: Sequence[str] | None) -> str:
    return listed([Order.State(code).label for code in codes or () if code in Order.State.values])


def _start(rule: Any) -> list[str]:
    lines = [Order.Line(code).label for code in rule.lines or () if code in Order.Line.values]
    if rule.start == Start.ORDER:
        label = dict(RuleVersion.OrderDate.choices).get(rule.date_field, "…")
        text = (
            _("From the date “%(date)s” of each order (%(lines)s).")
            if lines
            else _("From the date “%(date)s” of each order.")
        )
        return [text % {"date": label, "lines": listed(lines)}]
    if rule.start == Start.CUSTOMER:
        text = (
            _("From the date in the profile field “%s”, every year on that day.")
            if rule.yearly
            else _("From the date in the profile field “%s”, once.")
        )
        return [text % (attribute_words(rule.date_field) or "…")]
    said = [_("When “%s” happens.") % (event_words(rule.event_name) or "…")]
    if rule.event_filters:
        said.append(_("Only when %s.") % _(" and ").join(_condition(one) for one in rule.event_filters))
    if lines:
        said.append(_("Only for orders of: %s.") % listed(lines))
    said.append(
        _("Counted from the date in its property “%s”.") % rule.date_field
        if rule.date_field
        else _("Counted from the moment it happens.")
    )
    said.append(
        _("Once for each “%s”.") % rule.subject_property
        if rule.subject_property
        else _("Once for each order that the event names, else for each event.")
    )
    said.append(
        _("If it happens again, it counts anew from the newer one.")
        if rule.again == RuleVersion.Again.RESTART
        else _("If it happens again, it keeps counting from the first.")
    )
    if rule.newer_cancels:
        said.append(_("A newer status of the same order replaces what is not sent yet."))
    return said


def _condition(one: dict[str, Any]) -> str:
    value = one.get("value", "")
    text = listed(value) if isinstance(value, list) else str(value)
    return f"{one.get('property', '…')} {OPERATORS.get(one.get('operator', ''), '…')} {text}".strip()


def _ends(rule: Any) -> list[str]:
    ends = []
    if rule.stop_states:
        ends.append(_("when the order is: %s") % _states(rule.stop_states))
    if rule.stop_paid:
        ends.append(_("when it is paid in full"))
    if rule.stop_held:
        ends.append(_("when it is on hold (disputed, or quiet was asked for)"))
    if rule.stop_events:
        text = (
            _("when one of these happens to the customer: %s")
            if rule.stop_matching == RuleVersion.Matching.CUSTOMER
            else _("when one of these happens about the same subject: %s")
        )
        ends.append(text % listed([event_words(name) for name in rule.stop_events]))
    if rule.stop_reacted:
        ends.append(_("when the customer has read or clicked one of its messages"))
    if not ends:
        return [_("Only after its last step: nothing ends it earlier.")]
    return [_("At once %s; asked again right before each message leaves.") % _(" or ").join(ends)]


def _skips(rule: Any) -> list[str]:
    said = []
    for one in rule.skips or ():
        found = skip_conditions.get(str(one.get("kind")))
        if found is None:
            continue
        given = [
            f"{field.label}: {field_words(field, one.get(field.name))}"
            for field in found.fields
            if one.get(field.name) not in (None, "")
        ]
        said.append(f"{found.label} ({listed(given)})" if given else str(found.label))
    if not said:
        return [_("No step, by conditions of its own.")]
    return [_("A step, while the next ones go on: %s.") % _("; ").join(said)]


def _hours(rule: Any) -> list[str]:
    said = []
    if rule.send_from and rule.send_until:
        said.append(
            _("Between %(start)s and %(end)s on the customer's clock; what falls outside moves into it.")
            % {"start": f"{rule.send_from:%H:%M}", "end": f"{rule.send_until:%H:%M}"}
        )
    else:
        said.append(_("At any hour that the sending policy allows."))
    if rule.working_days:
        days = {
            RuleVersion.OffDay.BEFORE: _(
                "On working days only (%s); on a day off it goes on the working day before, "
                "but never across its date."
            ),
            RuleVersion.OffDay.AFTER: _(
                "On working days only (%s); on a day off it goes on the next working day, "
                "but never across its date."
            ),
            RuleVersion.OffDay.SKIP: _("On working days only (%s); on a day off it is left out."),
        }
        said.append(days[RuleVersion.OffDay(rule.off_day)] % (rule.calendar or _("the default calendar")))
    if rule.urgent:
        said.append(_("Also in quiet hours: it is urgent."))
    said.append(
        ngettext(
            "Up to %(n)d hour late; later it is skipped.",
            "Up to %(n)d hours late; later it is skipped.",
            rule.grace_hours,
        )
        % {"n": rule.grace_hours}
    )
    return said


def _limits(rule: Any) -> list[str]:
    said = []
    if rule.max_per_customer:
        said.append(
            _("At most %(n)d to one customer within %(days)d days.")
            % {"n": rule.max_per_customer, "days": rule.max_days}
        )
    if rule.subject_gap_hours:
        said.append(
            ngettext(
                "At least %(n)d hour between two about one subject.",
                "At least %(n)d hours between two about one subject.",
                rule.subject_gap_hours,
            )
            % {"n": rule.subject_gap_hours}
        )
    if rule.subject_max:
        said.append(
            _("At most %d about one subject, over all rules, campaigns and calls.") % rule.subject_max
        )
    if not rule.priority:
        said.append(_("In the realtime queue, before all bulk sending."))
    return said


def _goal(rule: Any) -> list[str]:
    goals = []
    if rule.goal_states:
        goals.append(_("the order is: %s") % _states(rule.goal_states))
    if rule.goal_paid:
        goals.append(_("it is paid in full"))
    if rule.goal_events:
        goals.append(_("one of these happens: %s") % listed([event_words(name) for name in rule.goal_events]))
    if not goals:
        return [_("Nothing: the report counts messages only.")]
    said = [
        ngettext(
            "Done when, within %(n)d day, %(what)s.",
            "Done when, within %(n)d days, %(what)s.",
            rule.goal_days,
        )
        % {"n": rule.goal_days, "what": _(" or ").join(goals)}
    ]
    if rule.holdout:
        said.append(_("%d of 100 get nothing, to measure what the reminders do.") % rule.holdout)
    return said
