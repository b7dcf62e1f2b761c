"""Fixtures for every test."""

import os
from typing import Any

import pytest
from django.db.backends.signals import connection_created


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run without a database, in one sentence."""
    if not os.environ.get("DATABASE_URL"):
        pytest.exit("Start the tests with ./test: it brings the database and the broker.", returncode=2)


def _allow_flush(connection: Any, **kwargs: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET notifyhub.allow_truncate = 'on'")


# The audit trail refuses TRUNCATE; the flush between transactional tests is the one exception.
connection_created.connect(_allow_flush)
