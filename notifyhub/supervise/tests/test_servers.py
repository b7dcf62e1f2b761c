"""The servers that come along, in folders that make it hard for them."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from notifyhub.supervise.broker import Valkey
from notifyhub.supervise.children import Children
from notifyhub.supervise.database import THROWAWAY, Postgres
from notifyhub.supervise.terminal import Terminal

pytestmark = pytest.mark.processes


@pytest.fixture
def children() -> Iterator[Children]:
    with tempfile.TemporaryFile() as screen:
        children = Children(Terminal(screen.fileno()))
        yield children
        for child in children.known:
            child.quiet = True
        children.stop(list(children.known), seconds=10)
        children.close()


def postgres_in(folder: Path) -> Postgres:
    folder.mkdir(exist_ok=True)
    return Postgres(home=folder / "postgres", env=os.environ, settings=THROWAWAY)


def test_a_path_too_long_for_a_socket_is_no_obstacle(children: Children, tmp_path: Path) -> None:
    postgres = postgres_in(tmp_path / ("long " * 25))
    postgres.start(children, database="hub")

    assert len(str(postgres.socket_folder)) < 100
    with psycopg.connect(postgres.url("hub")) as connection:
        # Both are why this PostgreSQL and this locale were taken: an extension, and Chinese in its index.
        connection.execute("CREATE EXTENSION pg_trgm")
        assert connection.execute("SELECT cardinality(show_trgm('双十一')) > 0").fetchone() == (True,)

    postgres.cleanup()
    assert not postgres.socket_folder.exists()


def test_lock_files_with_the_number_of_a_stranger_are_dropped(children: Children, tmp_path: Path) -> None:
    postgres = postgres_in(tmp_path / "data")
    postgres.start(children, database="hub")
    children.stop(list(children.known), seconds=10)
    children.stopping = False
    stranger = f"{os.getpid()}\n{postgres.home}\n"
    (postgres.home / "postmaster.pid").write_text(stranger)
    (postgres.socket_folder / ".s.PGSQL.5432.lock").write_text(stranger)

    again = postgres_in(tmp_path / "data")
    again.start(children, database="hub")

    psycopg.connect(again.url("hub")).close()


def test_a_spoiled_queue_file_is_set_aside(children: Children, tmp_path: Path) -> None:
    home = tmp_path / "valkey"
    first = Valkey(home=home, env=os.environ)
    first.start(children)
    with redis.from_url(first.url) as client:
        client.set("bell", "1" * 500)
    children.stop(list(children.known), seconds=10)
    children.stopping = False
    for file in home.glob("appendonlydir/*.incr.aof"):
        file.write_bytes(b"*3\r\n$3\r\nSET\r\nspoiled" * 9)

    second = Valkey(home=home, env=os.environ)
    second.start(children)

    with redis.from_url(second.url) as client:
        assert client.ping()
    assert len(list(tmp_path.glob("valkey.broken-*"))) == 1
