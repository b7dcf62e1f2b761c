"""A time limit for questions that people may ask too widely."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from notifyhub.core.errors import Refused


@contextmanager
def time_limit(*, seconds: float, **planning: str) -> Iterator[None]:
    """Run the block's queries under a limit each; raise Refused when one takes longer.

    `planning` are further settings of the database that hold for the block.
    """
    wanted = {"statement_timeout": f"{int(seconds * 1000)}ms", **planning}
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {', '.join(['current_setting(%s)'] * len(wanted))}", list(wanted))
                before = dict(zip(wanted, cursor.fetchone(), strict=True))
                _set(cursor, wanted)
            yield
            with connection.cursor() as cursor:
                # Inside a larger transaction the settings would outlive the block.
                _set(cursor, before)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise Refused(
                _("This took longer than %g s and was stopped. Narrow it down so that fewer rows are read.")
                % seconds,
                code="too_slow",
            ) from error
        raise


def _set(cursor: Any, values: dict[str, str]) -> None:
    parts = ", ".join(["set_config(%s, %s, true)"] * len(values))
    cursor.execute(f"SELECT {parts}", [one for pair in values.items() for one in pair])
