"""Waits for the servers that the environment names."""

from collections.abc import Callable
from urllib.parse import urlsplit

from notifyhub.supervise.children import Children
from notifyhub.supervise.problems import CannotStart

PATIENCE = 60


def wait_for_database(children: Children, url: str) -> None:
    """Return when the database answers; say what is missing when it does not."""
    import psycopg

    last = ""

    def answers() -> bool:
        nonlocal last
        try:
            psycopg.connect(url, connect_timeout=3).close()
        except psycopg.OperationalError as error:
            last = " ".join(str(error).split())
            return False
        except psycopg.Error as error:
            raise CannotStart(f"DATABASE_URL cannot be understood: {error}".strip()) from None
        return True

    _wait(children, answers, what="the database", variable="DATABASE_URL", url=url, reason=lambda: last)


def wait_for_broker(children: Children, url: str) -> None:
    """Return when the broker answers; say what is missing when it does not."""
    from kombu import Connection

    last = ""

    def answers() -> bool:
        nonlocal last
        try:
            with Connection(url, connect_timeout=3) as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
        except (KeyError, ValueError) as error:
            raise CannotStart(f"BROKER_URL cannot be understood: {error}") from None
        except Exception as error:
            # Each transport has error classes of its own, and all mean: not now.
            last = " ".join(str(error).split())
            return False
        return True

    _wait(children, answers, what="the broker", variable="BROKER_URL", url=url, reason=lambda: last)


def _wait(
    children: Children,
    answers: Callable[[], bool],
    *,
    what: str,
    variable: str,
    url: str,
    reason: Callable[[], str],
) -> None:
    if answers():
        return
    place = place_of(url)
    children.terminal.say(f"Waiting for {what} at {place} ({variable}): {reason()}")
    if not children.wait_until(answers, seconds=PATIENCE, pause=1):
        raise CannotStart(
            f"No answer from {what} at {place} within {PATIENCE} s; check {variable}: {reason()}"
        )


def place_of(url: str) -> str:
    """Host and port of a URL, without user and password."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path or "?"
