"""The same text to the same person, and one contact point of two people: once."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from notifyhub.customers.models import Customer
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.respects import text_respect
from notifyhub.messaging.models import Batch, Dispatch, SendDay
from notifyhub.messaging.tests.factories import make_version
from notifyhub.messaging.tests.kit.limits import found, limit, night
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    reasons,
    states,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _account() -> None:
    memory_account()


def send(**fields: object) -> Dispatch:
    dispatch = dispatch_to(**fields)
    drain()
    return dispatch


def test_the_same_text_goes_once_within_its_hours() -> None:
    limit(duplicate_hours=24)
    make_recipients("auto", "auto")
    assert states(send()) == {"sent": 2}
    again = send()
    assert reasons(again) == {"duplicate": 2}
    code, detail = found(again)[0]
    assert code == "duplicate"
    assert detail.endswith(" hours=24")
    assert_counts_are_the_ledger(again)
    assert states(send(text={"subject": "Noodles", "body": "Something else"})) == {"sent": 2}


def test_after_its_hours_it_may_go_again() -> None:
    limit(duplicate_hours=30)
    make_recipients("auto")
    send()
    counted = SendDay.objects.all()
    yesterday = counted.get().day - timedelta(days=1)
    counted.update(day=yesterday, at=[timezone.now() - timedelta(hours=29)])
    assert reasons(send()) == {"duplicate": 1}
    counted.filter(day=yesterday).update(at=[timezone.now() - timedelta(hours=31)])
    assert states(send()) == {"sent": 1}


def test_zero_hours_is_never() -> None:
    make_recipients("auto")
    assert [states(send()) for _ in range(2)] == [{"sent": 1}] * 2


def test_the_same_template_with_another_name_is_another_text() -> None:
    limit(duplicate_hours=24)
    version = make_version(("email", "en"))
    content = version.contents.get()
    content.body, content.compiled = "<p>{{ customer.name }}: half price. {{ unsubscribe_url }}</p>", ""
    content.save()
    customers = make_recipients("auto", "auto", topic=version.template.topic, locale="en")
    facts = {"template_version": version, "topic": version.template.topic, "text": None}
    assert states(send(**facts)) == {"sent": 2}
    Customer.objects.filter(pk=customers[0].pk).update(name="Somebody else")
    # Each message has a link of its own, which makes it no other text.
    assert "/u/" in (MemoryBackend.outbox[0].html or "")
    assert reasons(send(**facts)) == {"duplicate": 1}


def test_a_text_is_known_by_its_words_and_not_by_its_links() -> None:
    root = settings.PUBLIC_URL
    one = text_respect("Hi", f"Noodles {root}/c/AbC123 now, stop: {root}/u/xyz.45:6", None)
    two = text_respect("Hi", f"Noodles {root}/c/ZZZ999 now, stop: {root}/u/abc.99:1", None)
    assert one == two
    assert one != text_respect("Hi", f"Rice {root}/c/AbC123 now, stop: {root}/u/xyz", None)
    assert one != text_respect("Ho", f"Noodles {root}/c/AbC123 now, stop: {root}/u/xyz", None)
    assert text_respect("Hi", "", "<p>a</p>") != text_respect("Hi", "", "<p>b</p>")


def test_a_failed_message_does_not_stand_in_the_way_of_the_next() -> None:
    limit(duplicate_hours=24)
    make_recipients("reject@mail.example")
    assert [states(send()) for _ in range(2)] == [{"failed": 1}] * 2


def test_two_people_with_one_mailbox_get_one_message_over_send_times() -> None:
    make_recipients("home@mail.example", "auto")
    (second,) = make_recipients("home@mail.example")
    make_recipients("home@mail.example", "auto")
    Customer.objects.filter(pk=second.pk).update(time_zone="Europe/Berlin")
    limit(**night())
    dispatch = dispatch_to()
    plan_dispatch(dispatch_id=dispatch.pk)
    assert reasons(dispatch) == {"duplicate_contact": 2}
    limit(quiet_from=None, quiet_until=None)
    Batch.objects.filter(state=0).update(not_before=timezone.now())
    drain()
    assert states(dispatch) == {"sent": 3, "skipped": 2}
    assert sorted(message.to for message in MemoryBackend.outbox).count("home@mail.example") == 1
