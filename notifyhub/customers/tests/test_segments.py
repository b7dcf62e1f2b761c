import pytest

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import Segment, SegmentMember
from notifyhub.customers.services.limits import time_limit
from notifyhub.customers.services.segments import (
    add_members,
    add_members_by_rule,
    archive_segment,
    count_rule,
    count_segment,
    create_segment,
    remove_members,
    restore_segment,
    sample_rule,
    update_segment,
)
from notifyhub.customers.tests.factories import make_customer

pytestmark = pytest.mark.django_db
HEFEI = {"field": "city", "operator": "in", "value": ["Hefei"]}


def test_a_rule_is_counted_sampled_and_the_count_kept_with_its_time() -> None:
    make_customer(city="Hefei")
    make_customer(city="Wuhan")
    segment = create_segment(name="Hefei", kind="rule", rule=HEFEI)
    assert count_segment(segment_id=segment.pk).number == 1
    segment.refresh_from_db()
    assert segment.count == 1
    assert segment.counted_at is not None
    rows = sample_rule(rule=HEFEI)
    assert [row.city for row in rows] == ["Hefei"]
    assert "value" in rows[0].contact_points.all()[0].get_deferred_fields()


def test_a_rule_may_name_other_rules_and_lists_but_not_itself() -> None:
    inside, listed = make_customer(city="Hefei"), make_customer(city="Wuhan", external_id="L-1")
    make_customer(city="Wuhan")
    rule = create_segment(name="Rule", kind="rule", rule=HEFEI)
    static = create_segment(name="List", kind="static")
    add_members(segment_id=static.pk, text="L-1")
    both = {"field": "segment", "operator": "in", "value": [rule.pk, static.pk]}
    assert {row.pk for row in sample_rule(rule=both)} == {inside.pk, listed.pk}
    assert count_rule(rule={**both, "operator": "not_in"}).number == 1
    outer = create_segment(name="Outer", kind="rule", rule=both)
    with pytest.raises(Refused):
        update_segment(
            segment_id=rule.pk,
            name="Rule",
            rule={"field": "segment", "operator": "in", "value": [outer.pk]},
            version=None,
        )


def test_none_of_a_group_is_none_of_each() -> None:
    make_customer(city="Hefei")
    make_customer(city="Wuhan")
    third = make_customer(city="Sanya")
    wuhan = {**HEFEI, "value": ["Wuhan"]}
    rule = {"op": "not", "items": [HEFEI, {"op": "or", "items": [wuhan, HEFEI]}]}
    assert [row.pk for row in sample_rule(rule=rule)] == [third.pk]
    assert count_rule(rule={"op": "not", "items": [rule, rule]}).number == 2


def test_pasted_numbers_join_once_and_unknown_ones_are_named() -> None:
    make_customer(external_id="A-1")
    make_customer(external_id="A-2")
    segment = create_segment(name="List", kind="static")
    done = add_members(segment_id=segment.pk, text="A-1, A-2\nA-1；NOPE")
    assert (done.added, done.already, done.unknown) == (2, 0, ["NOPE"])
    assert add_members(segment_id=segment.pk, text="A-1").already == 1
    segment.refresh_from_db()
    assert segment.count == 2
    assert remove_members(segment_id=segment.pk, text="A-2").added == 1
    segment.refresh_from_db()
    assert segment.count == 1


def test_a_snapshot_keeps_who_matched_then() -> None:
    make_customer(city="Hefei")
    segment = create_segment(name="List", kind="static")
    assert add_members_by_rule(segment_id=segment.pk, rule=HEFEI).added == 1
    make_customer(city="Hefei")
    assert SegmentMember.objects.count() == 1


def test_a_stale_version_is_a_conflict() -> None:
    segment = create_segment(name="Hefei", kind="rule", rule=HEFEI)
    update_segment(segment_id=segment.pk, name="Hefei city", rule=HEFEI, version=1)
    with pytest.raises(Conflict):
        update_segment(segment_id=segment.pk, name="Mine", rule=HEFEI, version=1)
    assert Segment.objects.get().name == "Hefei city"


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"field": "nothing", "operator": "in", "value": ["x"]},
        {"field": "city", "operator": "in", "value": []},
        {"field": "segment", "operator": "in", "value": [999999]},
    ],
)
def test_it_refuses_a_bad_rule(rule: dict) -> None:
    with pytest.raises(Refused):
        create_segment(name="Bad", kind="rule", rule=rule)


def test_names_are_taken_once_and_archived_segments_come_back() -> None:
    segment = create_segment(name="A", kind="static")
    with pytest.raises(Refused) as refusal:
        create_segment(name="A", kind="static")
    assert refusal.value.field == "name"
    archive_segment(segment_id=segment.pk)
    with pytest.raises(Refused):
        add_members(segment_id=segment.pk, text="x")
    restore_segment(segment_id=segment.pk)
    assert Segment.objects.get().archived_at is None


def test_a_question_that_takes_too_long_is_refused_and_the_limit_ends_with_it() -> None:
    from django.db import connection

    with pytest.raises(Refused) as refusal, time_limit(seconds=0.05), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(2)")
    assert refusal.value.code == "too_slow"
    with time_limit(seconds=1), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        assert cursor.fetchone()[0] == "0"
