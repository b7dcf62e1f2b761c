"""A pooler as mean as one may be: between two transactions a client always gets another connection.

It speaks just enough of PostgreSQL's protocol: it answers the start of a session itself, counts what asks for
a ReadyForQuery, and gives the server's connection back when that says that no transaction is open. Like
PgBouncer in transaction mode it resets nothing in between.
"""

import contextlib
import os
import queue
import select
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import pq

SSL, GSS, CANCEL = 80877103, 80877104, 80877102
TOLD = ("server_version", "server_encoding", "client_encoding", "TimeZone", "DateStyle", "IntervalStyle")
ALSO_TOLD = ("integer_datetimes", "standard_conforming_strings", "is_superuser", "session_authorization")
# What a client sends that is answered by one ReadyForQuery: a simple query, a sync, a function call.
ASKS = b"QSF"


class Pooler:
    """A listening pooler; `handed_over` counts the transactions, `clients` the sessions."""

    def __init__(self, conninfo: str, size: int) -> None:
        self.conninfo, self.size = conninfo, size
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.free: queue.Queue[pq.PGconn] = queue.Queue()
        self.all: list[pq.PGconn] = []
        self.handed_over = self.clients = 0
        self.closing = False
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        """Connect to the server and begin to listen."""
        for _n in range(self.size):
            self._open()
        self._run(self._accept)

    def stop(self) -> None:
        """Let go of everybody."""
        self.closing = True
        # close() alone would not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for one in self.threads:
            one.join(timeout=10)
        for server in self.all:
            server.finish()

    def _open(self) -> None:
        server = pq.PGconn.connect(self.conninfo.encode())
        assert server.status == pq.ConnStatus.OK, server.error_message
        # libpq leaves its socket non-blocking, and from here on it is ours.
        os.set_blocking(server.socket, True)
        self.all.append(server)
        self.free.put(server)

    def _run(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing:
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(ConnectionError, EOFError):
            if self._greet(client):
                self.clients += 1
                self._talk(client)

    def _greet(self, client: socket.socket) -> bool:
        """Answer the start of a session; return whether one began."""
        while True:
            length, code = struct.unpack("!II", _exactly(client, 8))
            _exactly(client, length - 8)
            if code == CANCEL:
                return False
            if code not in (SSL, GSS):
                break
            client.sendall(b"N")
        server = self.all[0]
        answer = _message(b"R", struct.pack("!I", 0))
        for name in (*TOLD, *ALSO_TOLD):
            value = server.parameter_status(name.encode()) or b""
            answer += _message(b"S", name.encode() + b"\0" + value + b"\0")
        client.sendall(answer + _message(b"K", struct.pack("!II", 0, 0)) + _message(b"Z", b"I"))
        return True

    def _talk(self, client: socket.socket) -> None:
        server: pq.PGconn | None = None
        wire: socket.socket | None = None
        try:
            while not self.closing:
                if not select.select([client], [], [], 0.2)[0]:
                    continue
                first = _read(client)
                if first[:1] == b"X":
                    return
                server = self.free.get(timeout=60)
                wire = socket.socket(fileno=server.socket)
                self.handed_over += 1
                if not self._relay(client, wire, first):
                    return
                self.free.put(server)
                wire.detach()
                server = wire = None
        finally:
            if server is not None and wire is not None:
                # Somebody left in the middle of a transaction: its connection is of no use any more.
                wire.detach()
                self.all.remove(server)
                server.finish()
                if not self.closing:
                    self._open()

    def _relay(self, client: socket.socket, wire: socket.socket, first: bytes) -> bool:
        """Carry one transaction; return False if the client went away in it."""
        waiting = first[:1] in [bytes([one]) for one in ASKS]
        awaited = int(waiting)
        wire.sendall(first)
        while True:
            ready = select.select([client, wire], [], [], 0.2)[0]
            if self.closing:
                return False
            if wire in ready:
                answer = _read(wire)
                client.sendall(answer)
                if answer[:1] == b"Z":
                    awaited -= 1
                    if awaited == 0 and answer[5:6] == b"I":
                        return True
            elif client in ready:
                try:
                    said = _read(client)
                except (EOFError, ConnectionError):
                    return False
                if said[:1] == b"X":
                    return False
                awaited += said[:1] in [bytes([one]) for one in ASKS]
                wire.sendall(said)


def _exactly(source: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        part = source.recv(length - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def _read(source: socket.socket) -> bytes:
    """Return one whole message."""
    head = _exactly(source, 5)
    return head + _exactly(source, struct.unpack("!I", head[1:])[0] - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


@contextlib.contextmanager
def pooler(url: str, *, size: int = 4) -> Iterator[tuple[Pooler, str]]:
    """Run a pooler before the database at `url`; give it and the address through it."""
    running = Pooler(psycopg.conninfo.make_conninfo(url), size)
    running.start()
    try:
        parts = urlsplit(url)
        name = parts.username or "postgres"
        where = parts._replace(netloc=f"{name}@127.0.0.1:{running.port}", query="sslmode=disable")
        yield running, urlunsplit(where)
    finally:
        running.stop()
