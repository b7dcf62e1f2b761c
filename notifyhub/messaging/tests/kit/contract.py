"""What every provider must pass: subclass the contract that fits and say how to make the backend.

`BackendContract` for all; `RecordingContract` when a test can see what the vendor took; `NetworkContract`
when there is a connection that can fail. A subclass gives a fixture `vendor` that yields a `Vendor`. See
docs/howto/add-a-provider.md and test_contract.py.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from notifyhub.messaging.channels.base import GROUPS, LEASE_LOST, Backend, Message, Result, Sender, always

SECRET = "hush-4f1d-nobody-may-read-this"
# A backend that hangs must not hang the suite; nothing is measured by it.
PATIENCE = 60.0


@dataclass(kw_only=True)
class Vendor:
    """A backend under test and the server behind it.

    `address` is a recipient that is served, with {n} for a number. `modes` are recipients that the server
    treats badly: reject (permanent), busy (transient), drop (takes it and hangs up), hang, drip. `accepted`
    returns the keys of what the server took; `settings` are those of the account.
    """

    backend: type[Backend]
    settings: dict[str, Any] = field(default_factory=dict)
    address: str = "ok.{n}@mail.example"
    channel: str = "email"
    modes: dict[str, str] = field(default_factory=dict)
    accepted: Callable[[], list[str]] = list
    # Settings with which nobody answers.
    unreachable: dict[str, Any] = field(default_factory=dict)

    def message(self, n: int, mode: str = "") -> Message:
        """Return the message number `n` to a recipient of that mode."""
        return Message(
            reference=f"7-{n}",
            key=f"{7:032x}.{n}",
            host="hub.example",
            channel=self.channel,
            to=self.modes[mode] if mode else self.address.format(n=n),
            subject="您好",
            text=f"第 {n} 条",
            html=f"<p>第 {n} 条</p>" if self.channel == "email" else None,
            sender=Sender(name="店", email="news@shop.example", signature="店"),
        )


def send(
    backend: Backend, messages: Iterable[Message], *, may_send: Callable[[], bool] = always
) -> list[Result]:
    """Return the results of one hand-over in a loop of its own, closed at the end."""

    async def work() -> list[Result]:
        try:
            async with asyncio.timeout(PATIENCE):
                return await backend.send_many(list(messages), may_send=may_send)
        finally:
            await backend.close()

    return asyncio.run(work())


class BackendContract:
    """Holds for every backend."""

    def make(self, vendor: Vendor, **settings: Any) -> Backend:
        return vendor.backend({**vendor.settings, **settings})

    def test_each_message_gets_one_answer(self, vendor: Vendor) -> None:
        results = send(self.make(vendor), [vendor.message(n) for n in range(20)])
        assert [one.kind for one in results] == ["accepted"] * 20
        assert len({one.provider_ref for one in results}) in (1, 20)

    def test_nothing_to_send_is_no_trouble(self, vendor: Vendor) -> None:
        assert send(self.make(vendor), []) == []

    def test_nothing_is_offered_once_the_lease_is_gone(self, vendor: Vendor) -> None:
        messages = [vendor.message(n) for n in range(3)]
        results = send(self.make(vendor), messages, may_send=lambda: False)
        assert all(one is LEASE_LOST for one in results)
        assert len(results) == 3

    def test_closing_twice_is_no_trouble_and_it_can_be_used_again(self, vendor: Vendor) -> None:
        backend = self.make(vendor)

        async def work() -> list[Result]:
            await backend.send_many([vendor.message(1)])
            await backend.close()
            await backend.close()
            try:
                return await backend.send_many([vendor.message(2)])
            finally:
                await backend.close()

        assert asyncio.run(work())[0].kind == "accepted"

    def test_its_settings_are_well_formed(self, vendor: Vendor) -> None:
        kinds = {"text", "lines", "integer", "boolean", "choice", "email", "host", "domain", "url"}
        names = [one.name for one in vendor.backend.fields]
        assert len(names) == len(set(names))
        for one in vendor.backend.fields:
            assert one.name.isidentifier()
            assert str(one.label)
            assert one.kind in kinds
            assert one.group in GROUPS
            assert one.kind != "integer" or one.least <= one.default <= one.most
            assert not (one.secret and one.default), "a secret has no default"
            assert bool(one.choices) == (one.kind == "choice")
            assert one.kind != "choice" or one.default in dict(one.choices)
        assert vendor.backend.code
        assert str(vendor.backend.label)
        assert vendor.backend.channels
        vendor.backend.check_settings(
            {one.name: one.default for one in vendor.backend.fields} | vendor.settings
        )

    def test_no_secret_is_told(self, vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
        hidden = {one.name: SECRET for one in vendor.backend.fields if one.secret}
        caplog.set_level(logging.DEBUG)
        told = []
        for broken in ({}, vendor.unreachable):
            backend = self.make(vendor, **{**hidden, **broken})
            told += [repr(backend), *map(repr, send(backend, [vendor.message(1)]))]
        assert SECRET not in " ".join(told) + caplog.text


class RecordingContract(BackendContract):
    """Holds for every backend whose server tells what it took."""

    def test_every_message_is_handed_over_once(self, vendor: Vendor) -> None:
        messages = [vendor.message(n) for n in range(150)]
        results = send(self.make(vendor), messages)
        assert {one.kind for one in results} == {"accepted"}
        assert Counter(vendor.accepted()) == Counter(one.key for one in messages)

    def test_the_answers_stand_in_the_order_of_the_messages(self, vendor: Vendor) -> None:
        wanted = ["", "reject", "", "", "busy", "", "reject", ""]
        results = send(self.make(vendor), [vendor.message(n, mode) for n, mode in enumerate(wanted)])
        kinds = {"": "accepted", "reject": "permanent", "busy": "transient"}
        assert [one.kind for one in results] == [kinds[mode] for mode in wanted]

    def test_a_lease_lost_on_the_way_leaves_the_rest_unsent(self, vendor: Vendor) -> None:
        messages = [vendor.message(n) for n in range(60)]
        results = send(self.make(vendor), messages, may_send=lambda: len(vendor.accepted()) < 3)
        handed = [one.key for one, result in zip(messages, results, strict=True) if result is not LEASE_LOST]
        assert 3 <= len(handed) < 60
        assert sorted(vendor.accepted()) == sorted(handed)

    def test_a_second_try_bears_the_same_key(self, vendor: Vendor) -> None:
        for _try in range(2):
            send(self.make(vendor), [vendor.message(5)])
        assert vendor.accepted() == [vendor.message(5).key] * 2

    def test_taken_without_an_answer_is_ambiguous(self, vendor: Vendor) -> None:
        results = send(self.make(vendor), [vendor.message(1, "drop"), vendor.message(2)])
        assert [one.kind for one in results] == ["ambiguous", "accepted"]
        assert sorted(vendor.accepted()) == [vendor.message(1).key, vendor.message(2).key]


class NetworkContract(RecordingContract):
    """Holds for every backend with a connection."""

    # What makes the backend impatient.
    impatient: dict[str, Any] = {"timeout": 1}

    def test_a_server_that_is_not_there_is_trouble_of_the_account(self, vendor: Vendor) -> None:
        backend = self.make(vendor, **vendor.unreachable)
        results = send(backend, [vendor.message(n) for n in range(5)])
        assert {(one.kind, one.account_trouble) for one in results} == {("transient", True)}
        assert vendor.accepted() == []

    @pytest.mark.parametrize("mode", ["hang", "drip"])
    def test_an_answer_that_does_not_come_is_ambiguous(self, vendor: Vendor, mode: str) -> None:
        backend = self.make(vendor, **self.impatient)
        results = send(backend, [vendor.message(1, mode), vendor.message(2)])
        assert [one.kind for one in results] == ["ambiguous", "accepted"]
