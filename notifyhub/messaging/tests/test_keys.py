"""Keys made of names, where templates take them."""

import threading

import pytest
from django.db import connection

from notifyhub.core.keys import LENGTH, free_key
from notifyhub.messaging.models import Template
from notifyhub.messaging.services.templates import create_template

pytestmark = pytest.mark.django_db


def make(name: str) -> str:
    return create_template(name=name, message_class="transactional", channel="sms", language="en").key


def test_the_second_of_a_name_is_counted() -> None:
    assert [make("Autumn offers!") for _ in range(3)] == [
        "autumn-offers",
        "autumn-offers-2",
        "autumn-offers-3",
    ]


def test_a_name_without_latin_letters_gets_the_word_of_its_kind() -> None:
    assert [make("火锅季"), make("暖冬")] == ["template", "template-2"]


def test_a_gap_is_filled_and_a_longer_name_is_not_in_the_way() -> None:
    make("Offers")
    make("Offers for two")
    assert make("Offers") == "offers-2"
    Template.objects.filter(key="offers-2").update(key="elsewhere")
    assert make("Offers") == "offers-2"


def test_a_long_name_leaves_room_for_its_count() -> None:
    first, second = make("word " * 20), make("word " * 20)
    assert len(first) <= LENGTH
    assert second == f"{first}-2"
    assert not first.endswith("-")


def test_a_key_that_was_chosen_is_not_counted() -> None:
    assert free_key(Template.objects.all(), "Élan 100%", fallback="x") == "elan-100"


@pytest.mark.django_db(transaction=True)
def test_those_who_come_at_once_all_get_one() -> None:
    start, found = threading.Barrier(4), []

    def one() -> None:
        start.wait()
        found.append(make("Same name"))
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["same-name", "same-name-2", "same-name-3", "same-name-4"]
