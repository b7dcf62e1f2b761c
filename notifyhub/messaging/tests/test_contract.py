"""Every provider of the house keeps the contract."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notifyhub.messaging.channels.aliyun import AliyunSmsBackend
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.channels.sandbox import SandboxBackend
from notifyhub.messaging.channels.smtp.backend import SmtpBackend
from notifyhub.messaging.channels.webhook import WebhookBackend
from notifyhub.messaging.tests.kit.contract import (
    BackendContract,
    NetworkContract,
    RecordingContract,
    Vendor,
)
from notifyhub.messaging.tests.kit.processes import http_sink, lines_of, sink

CLOSED_PORT = 9


class TestSandbox(BackendContract):
    @pytest.fixture
    def vendor(self) -> Vendor:
        return Vendor(backend=SandboxBackend)


class TestMemory(RecordingContract):
    @pytest.fixture
    def vendor(self) -> Vendor:
        MemoryBackend.clear()
        return Vendor(
            backend=MemoryBackend,
            modes={"reject": "reject@a.example", "busy": "fail@a.example", "drop": "silent@a.example"},
            accepted=lambda: [one.key for one in MemoryBackend.outbox],
        )


def keys(log: Path) -> list[str]:
    """Return the keys of what a sink took; a mail's Message-ID has a host behind it."""
    return [line.split()[1].partition("@")[0] for line in lines_of(log)]


def emptied(served: tuple[int, Path], vendor: Vendor) -> Vendor:
    """Return the vendor with the log of its server, empty now: one server serves all tests."""
    os.truncate(served[1], 0)
    vendor.accepted = lambda: keys(served[1])
    return vendor


@pytest.fixture(scope="module")
def smtp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    with sink(tmp_path_factory.mktemp("smtp")) as served:
        yield served


@pytest.fixture(scope="module")
def http_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    with http_sink(tmp_path_factory.mktemp("http")) as served:
        yield served


@pytest.mark.processes
class TestSmtp(NetworkContract):
    impatient: dict[str, Any] = {"timeout": 1, "dot_timeout": 1}

    @pytest.fixture
    def vendor(self, smtp_server: tuple[int, Path]) -> Vendor:
        port = smtp_server[0]
        vendor = Vendor(
            backend=SmtpBackend,
            settings={
                "host": "127.0.0.1",
                "port": port,
                "security": "none",
                "from_email": "news@shop.example",
            },
            modes={name: f"{name}@mail.example" for name in ("reject", "busy", "drop", "hang", "drip")},
            unreachable={"port": CLOSED_PORT},
        )
        return emptied(smtp_server, vendor)


@pytest.mark.processes
class TestWebhook(NetworkContract):
    @pytest.fixture
    def vendor(self, http_server: tuple[int, Path]) -> Vendor:
        port = http_server[0]
        modes = {name: f"{name}.1@mail.example" for name in ("reject", "drop", "hang", "drip")}
        vendor = Vendor(
            backend=WebhookBackend,
            settings={"endpoint": f"http://127.0.0.1:{port}/send", "secret": "whsec_c2luaw=="},
            modes={**modes, "busy": "limited.1@mail.example"},
            unreachable={"endpoint": f"http://127.0.0.1:{CLOSED_PORT}"},
        )
        return emptied(http_server, vendor)


@pytest.mark.processes
class TestAliyun(NetworkContract):
    @pytest.fixture
    def vendor(self, http_server: tuple[int, Path]) -> Vendor:
        port = http_server[0]
        numbers = {"reject": "0003", "busy": "0429", "drop": "0002", "hang": "0000", "drip": "0001"}
        vendor = Vendor(
            backend=AliyunSmsBackend,
            channel="sms",
            address="+861390{n:04}777",
            settings={
                "endpoint": f"http://127.0.0.1:{port}",
                "access_key_id": "id",
                "access_key_secret": "sink",
                "sign_name": "店",
                "template_code": "SMS_1",
            },
            modes={name: f"+861380000{tail}" for name, tail in numbers.items()},
            unreachable={"endpoint": f"http://127.0.0.1:{CLOSED_PORT}"},
        )
        return emptied(http_server, vendor)
