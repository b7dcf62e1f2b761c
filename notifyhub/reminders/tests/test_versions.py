"""What is kept of a rule when it is saved again."""

from datetime import time
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.tests.factories import make_customer
from notifyhub.reminders.models import Occasion, ReminderRule, RuleVersion
from notifyhub.reminders.services import rules
from notifyhub.reminders.tests.factories import change_rule, make_rule, make_text, rule_spec, spec

pytestmark = pytest.mark.django_db


def _begin(rule: ReminderRule) -> Occasion:
    return Occasion.objects.create(
        rule=rule,
        rule_version=rule.live,
        customer=make_customer(),
        subject_ref="order:H1",
        anchor_at=timezone.now(),
    )


def test_a_version_by_which_nothing_has_begun_is_rewritten() -> None:
    rule = make_rule(spec(3))
    change_rule(rule, grace_hours=48)
    (version,) = RuleVersion.objects.filter(rule=rule)
    assert (version.number, version.grace_hours) == (1, 48)


def test_a_version_by_which_something_has_begun_stays_and_the_next_takes_force() -> None:
    rule = make_rule(spec(3))
    first = _begin(rule).rule_version
    changed = change_rule(rule, grace_hours=48)
    assert (changed.live.number, changed.live.grace_hours) == (2, 48)
    first.refresh_from_db()
    assert (first.number, first.grace_hours, first.steps.count()) == (1, 12, 1)
    assert changed.planned_at is None


def test_a_new_name_alone_makes_no_version() -> None:
    rule = make_rule(spec(3))
    _begin(rule)
    changed = change_rule(rule, name="Bill soon due")
    assert (changed.name, changed.live_id) == ("Bill soon due", rule.live_id)


def test_the_number_of_a_step_that_was_given_up_is_never_used_again() -> None:
    rule = make_rule(spec(3), spec(1))
    _begin(rule)
    kept = rules.step_specs_of(rule.live.steps.all())[0]
    changed = change_rule(rule, kept, spec(2))
    assert [step.number for step in changed.live.steps.all()] == [1, 3]


def test_a_stale_save_is_a_conflict_that_names_what_it_is_now() -> None:
    rule = make_rule(spec(3))
    change_rule(rule, grace_hours=24)
    with pytest.raises(Conflict) as conflict:
        rules.update_rule(rule_id=rule.pk, data=rule_spec(), steps=[spec()], version=rule.version)
    assert conflict.value.current == rule.version + 1


def test_a_rule_about_money_stops_by_default_on_all_that_settles_it() -> None:
    live = make_rule(spec(3)).live
    assert live.stop_states == ["paid", "completed", "cancelled", "refund_asked", "refunded", "disputed"]
    assert (live.stop_paid, live.stop_held, live.stop_events) == (True, True, ["arrangement_agreed"])
    assert live.goal_paid
    unpaid = make_rule(spec(1, "hours", "after"), start="event", event_name="payment_failed").live
    assert (unpaid.stop_paid, unpaid.stop_events) == (True, ["arrangement_agreed"])


def test_what_staff_took_away_stays_away() -> None:
    live = make_rule(spec(3), stop_states=["paid"], stop_paid=False, stop_events=[], stop_held=False).live
    assert (live.stop_states, live.stop_paid, live.stop_events) == (["paid"], False, [])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": " "}, "name"),
        ({"start": "moon"}, "start"),
        ({"date_field": "told_at"}, "date_field"),
        ({"start": "customer", "date_field": ""}, "date_field"),
        ({"start": "event", "event_name": "Order Paid"}, "event_name"),
        ({"start": "event", "event_name": "cart", "subject_property": "order"}, "subject_property"),
        ({"start": "event", "event_name": "cart", "stop_events": ["cart"]}, "stop_events"),
        (
            {
                "start": "event",
                "event_name": "cart",
                "event_filters": [{"property": "v", "operator": "like"}],
            },
            "event_filters.0.operator",
        ),
        (
            {
                "start": "event",
                "event_name": "cart",
                "event_filters": [{"property": "v", "operator": "at_least", "value": "much"}],
            },
            "event_filters.0.value",
        ),
        ({"lines": ["space"]}, "lines"),
        ({"stop_states": ["gone"]}, "stop_states"),
        ({"goal_events": ["a b"]}, "goal_events"),
        ({"send_from": time(9)}, "send_until"),
        ({"send_from": time(9), "send_until": time(9)}, "send_until"),
        ({"grace_hours": 0}, "grace_hours"),
        ({"holdout": 51}, "holdout"),
        ({"off_day": "never"}, "off_day"),
        ({"skips": [{"kind": "rain"}]}, "skips.0"),
    ],
)
def test_a_refusal_names_the_field_of_the_rule(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused) as refusal:
        rules.create_rule(data=rule_spec(**fields), steps=[spec()])
    assert refusal.value.field == named


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"amount": -1}, "steps.1.amount"),
        ({"unit": "weeks"}, "steps.1.unit"),
        ({"chain": []}, "steps.1.chain"),
        ({"chain": [{"channel": "pigeon"}]}, "steps.1.chain"),
        ({"repeat_max": 3}, "steps.1.repeat_days"),
        ({"repeat_days": 2, "repeat_max": 1}, "steps.1.repeat_max"),
    ],
)
def test_a_refusal_names_the_step_and_its_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused) as refusal:
        rules.create_rule(data=rule_spec(), steps=[spec(), spec(**{"amount": 1, **fields})])
    assert refusal.value.field == named


def test_a_rule_without_steps_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        rules.create_rule(data=rule_spec(), steps=[])
    assert refusal.value.field == "steps"


def test_an_active_rule_is_not_saved_with_a_text_that_cannot_be_sent() -> None:
    rule = make_rule(spec(3))
    with pytest.raises(Refused, match="Publish"):
        change_rule(rule, spec(3, template=make_text(published=False)))


def test_a_draft_is_checked_as_saving_would_and_writes_nothing() -> None:
    rule = make_rule(spec(3))
    version, steps = rules.draft_version(data=rule_spec(grace_hours=5), steps=[spec(1), spec(2)], rule=rule)
    assert (version.pk, version.number, [step.number for step in steps]) == (None, 2, [2, 3])
    assert RuleVersion.objects.count() == 1
