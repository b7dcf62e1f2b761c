"""Between which ids an audience stands, where lists tell."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from notifyhub.customers.models import Customer, Segment, SegmentMember
from notifyhub.customers.services.audiences import compile_audience, span_of
from notifyhub.customers.tests.factories import make_customer


def in_lists(*segments: Segment) -> dict[str, Any]:
    return {"field": "segment", "operator": "in", "value": [one.pk for one in segments]}


def a_list(*customers: Customer) -> Segment:
    segment = Segment.objects.create(name=f"List {Segment.objects.count()}", kind=Segment.Kind.STATIC)
    SegmentMember.objects.bulk_create(
        SegmentMember(segment=segment, customer=customer) for customer in customers
    )
    return segment


@pytest.mark.django_db
def test_only_lists_that_everybody_must_be_on_tell() -> None:
    one, two, three = (make_customer() for _ in range(3))
    low, high = a_list(one, two), a_list(two, three)
    assert span_of(in_lists(low)) == (one.pk, two.pk)
    assert span_of(in_lists(low, high)) == (one.pk, three.pk)
    assert span_of({"op": "and", "items": [in_lists(low), in_lists(high)]}) == (two.pk, two.pk)
    assert span_of({"op": "or", "items": [in_lists(low), {"all": True}]}) is None
    assert span_of({"op": "not", "items": [in_lists(low)]}) is None
    assert span_of({**in_lists(low), "operator": "not_in"}) is None
    rule = Segment.objects.create(name="Rule", kind=Segment.Kind.RULE, rule={"all": True})
    assert span_of(in_lists(low, rule)) is None
    first, last = span_of(in_lists(a_list())) or (0, 0)
    assert first > last


class SpanTests(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        people = [make_customer() for _ in range(6)]
        cls.lists = [a_list(*people[:2]), a_list(*people[1:4]), a_list(people[5]), a_list()]

    @given(data=st.data())
    def test_nobody_meant_stands_outside(self, data: st.DataObject) -> None:
        chosen = st.lists(st.sampled_from(self.lists), min_size=1, max_size=2, unique=True)
        leaf = st.just({"all": True}) | chosen.map(lambda some: in_lists(*some))
        rule = data.draw(
            st.recursive(
                leaf,
                lambda items: st.builds(
                    lambda op, some: {"op": op, "items": some},
                    st.sampled_from(["and", "or", "not"]),
                    st.lists(items, min_size=1, max_size=3),
                ),
                max_leaves=5,
            )
        )
        sql, params = compile_audience(rule)
        meant = Customer.objects.raw(f"SELECT c.* FROM customers_customer c WHERE {sql}", params)
        span = span_of(rule)
        if span is not None:
            assert all(span[0] <= one.pk <= span[1] for one in meant)
