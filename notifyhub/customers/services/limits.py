"""A time limit for questions that people may ask too widely."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from notifyhub.core.errors import Refused


@contextmanager
def time_limit(*, seconds: float) -> Iterator[None]:
    """Run the block's queries under a limit each; raise Refused when one takes longer."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_setting('statement_timeout')")
                before = cursor.fetchone()[0]
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", [f"{int(seconds * 1000)}ms"]
                )
            yield
            with connection.cursor() as cursor:
                # Inside a larger transaction the setting would outlive the block.
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise Refused(
                _("This took longer than %g s and was stopped. Narrow it down so that fewer rows are read.")
                % seconds,
                code="too_slow",
            ) from error
        raise
