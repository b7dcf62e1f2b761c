"""The database that the harness works in: made at the start, dropped at the end."""

from types import TracebackType
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from notifyhub.supervise.problems import CannotStart


class Scratch:
    """A database beside the one of `url`, named after it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.name = f"{parts.path.strip('/') or 'notifyhub'}_bench"
        self.server = url
        self.url = parts._replace(path=f"/{self.name}").geturl()

    def __enter__(self) -> "Scratch":
        try:
            # One that a killed run left behind. Without FORCE: a run that is under way is not disturbed.
            self._execute("DROP DATABASE IF EXISTS {}")
            self._execute("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
        except psycopg.errors.ObjectInUse:
            raise CannotStart(f"Another bench/run is working in the database {self.name}.") from None
        except psycopg.Error as error:
            raise CannotStart(f"The database {self.name} cannot be made: {error}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self.name)))
