from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Consent, ConsentRecord, Customer, Decision
from notifyhub.customers.services.consents import Word, record_consent, stricter
from notifyhub.customers.services.merging.consents import combine
from notifyhub.customers.tests.factories import make_customer, make_topic
from notifyhub.staff.models import AuditEntry

words = st.builds(
    Word,
    decision=st.sampled_from(["in", "out"]),
    given_at=st.integers(0, 9).map(lambda day: datetime(2026, 1, day + 1, tzinfo=UTC)),
)
states = st.dictionaries(st.tuples(st.integers(1, 4), st.sampled_from(["sms", "email"])), words, max_size=6)


@given(states, states, states)
def test_merging_consents_in_any_order_gives_the_same_and_the_opt_out_wins(a: dict, b: dict, c: dict) -> None:
    assert combine(a, b) == combine(b, a)
    assert combine(combine(a, b), c) == combine(a, combine(b, c))
    assert combine(a, a) == a
    merged = combine(combine(a, b), c)
    for key, word in merged.items():
        said = [state[key] for state in (a, b, c) if key in state]
        assert word in said
        if any(one.decision == Decision.OPT_OUT for one in said):
            assert word.decision == Decision.OPT_OUT


@given(words, words)
def test_the_stricter_word_is_one_of_the_two(first: Word, second: Word) -> None:
    assert stricter(first, second) in (first, second)


@pytest.mark.django_db
def test_it_appends_a_record_and_keeps_the_state() -> None:
    customer, topic = make_customer(), make_topic()
    consent = record_consent(
        customer_id=customer.pk, topic=topic, channel="sms", decision="in", source="phone_call", wording="Yes"
    )
    assert consent.decision == "in"
    record = ConsentRecord.objects.get()
    assert (record.wording, record.source, record.recorded_by) == ("Yes", "phone_call", "system")
    assert AuditEntry.objects.filter(verb="record_consent", object_id=str(customer.pk)).count() == 1


@pytest.mark.django_db
def test_a_late_older_word_is_kept_on_record_and_changes_nothing() -> None:
    customer, topic, now = make_customer(), make_topic(), timezone.now()
    facts = {"customer_id": customer.pk, "topic": topic, "channel": "sms", "source": "app"}
    record_consent(**facts, decision="out", given_at=now)
    record_consent(**facts, decision="in", given_at=now - timedelta(days=1))
    assert Consent.objects.get().decision == "out"
    assert ConsentRecord.objects.count() == 2


@pytest.mark.django_db
def test_of_two_words_at_one_moment_the_opt_out_counts() -> None:
    customer, topic, now = make_customer(), make_topic(), timezone.now()
    facts = {"customer_id": customer.pk, "topic": topic, "channel": "sms", "source": "app", "given_at": now}
    for decision in ("in", "out", "in"):
        record_consent(**facts, decision=decision)
    assert Consent.objects.get().decision == "out"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"channel": "pigeon"}, "channel"),
        ({"decision": "maybe"}, "decision"),
        ({"source": " "}, "source"),
        ({"given_at": datetime(2999, 1, 1, tzinfo=UTC)}, "given_at"),
    ],
)
def test_it_refuses_what_makes_no_sense(wrong: dict, field: str) -> None:
    customer, topic = make_customer(), make_topic()
    facts = {"channel": "sms", "decision": "in", "source": "app"}
    with pytest.raises(Refused) as refusal:
        record_consent(customer_id=customer.pk, topic=topic, **{**facts, **wrong})
    assert refusal.value.field == field


@pytest.mark.django_db
def test_it_refuses_an_erased_customer() -> None:
    customer, topic = make_customer(), make_topic()
    Customer.objects.filter(pk=customer.pk).update(state="erased")
    with pytest.raises(Refused):
        record_consent(customer_id=customer.pk, topic=topic, channel="sms", decision="in", source="app")
