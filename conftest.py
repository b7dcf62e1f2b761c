"""Fixtures for every test."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.backends.signals import connection_created
from django.utils import translation


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run without a database, in one sentence."""
    if not os.environ.get("DATABASE_URL"):
        pytest.exit("Start the tests with ./test: it brings the database and the broker.", returncode=2)


def _allow_flush(connection: Any, **kwargs: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET notifyhub.allow_truncate = 'on'")


@pytest.fixture(autouse=True)
def day_and_night(request: pytest.FixtureRequest) -> None:
    """Let messages leave at any hour and as often as asked, so that no test depends on the time of day.

    What quiet hours, caps and gaps do is the business of those tests that set them.
    """
    asked = [name for name in ("transactional_db", "db") if name in request.fixturenames]
    if asked or request.node.get_closest_marker("django_db"):
        for name in asked:
            request.getfixturevalue(name)
        from notifyhub.messaging.models import ChannelPolicy, SendingPolicy

        limits = ("quiet_from", "quiet_until", "cap_day", "cap_week", "subject_gap_hours", "subject_max")
        SendingPolicy.objects.update(duplicate_hours=0, **dict.fromkeys(limits))
        ChannelPolicy.objects.all().delete()


# The audit trail refuses TRUNCATE; the flush between transactional tests is the one exception.
connection_created.connect(_allow_flush)


@pytest.fixture(autouse=True)
def own_language() -> Iterator[None]:
    """Let no test go on in the language of the page that another one opened."""
    yield
    translation.deactivate()
