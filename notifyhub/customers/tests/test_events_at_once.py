"""Many at once: the same messages over several connections, mixed with people who say who they are."""

import random
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from notifyhub.customers.models import Alias, Customer, Event, EventKey, Order, ParkedEvent
from notifyhub.customers.segment_api.taking import take_messages
from notifyhub.customers.services.events.waiting import match_parked

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 12
SENDERS = 4


def messages() -> list[dict[str, Any]]:
    now = timezone.now().isoformat()
    told: list[dict[str, Any]] = []
    for n in range(PEOPLE):
        who = {"userId": f"U{n}", "timestamp": now}
        device = {"anonymousId": f"a{n}", "timestamp": now}
        order = {"order_id": f"H{n}", "total": 5}
        told += [
            {"type": "page", "messageId": f"p{n}", **device},
            {
                "type": "identify",
                "messageId": f"i{n}",
                **who,
                **device,
                "traits": {"email": f"u{n}@m.example"},
            },
            {"type": "track", "messageId": f"o{n}", "event": "Order Completed", "properties": order, **who},
            {"type": "alias", "messageId": f"l{n}", "previousId": f"old{n}", **who},
            {"type": "track", "messageId": f"t{n}", "event": "Seen", "userId": f"old{n}", "timestamp": now},
        ]
    return told


def test_the_same_messages_over_several_connections_are_each_taken_once() -> None:
    failed: list[BaseException] = []

    def send(seed: int) -> None:
        mixed = messages()
        random.Random(seed).shuffle(mixed)
        # Of one person, what they are called before is said before it is used.
        mixed.sort(key=lambda one: one["messageId"].startswith("t"))
        try:
            for at in range(0, len(mixed), 15):
                take_messages(mixed[at : at + 15], source=f"segment:{seed}")
        except BaseException as error:  # told to the test
            failed.append(error)
        finally:
            connection.close()

    threads = [Thread(target=send, args=(seed,)) for seed in range(SENDERS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    match_parked()
    assert Event.objects.count() == EventKey.objects.count() == 5 * PEOPLE
    assert Customer.objects.count() == Order.objects.count() == PEOPLE
    assert Alias.objects.count() == 2 * PEOPLE
    assert not ParkedEvent.objects.filter(state="waiting").exists()
