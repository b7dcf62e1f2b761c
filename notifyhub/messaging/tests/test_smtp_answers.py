"""Whatever a server does, what we say of a message is never the opposite of what the server did with it."""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifyhub.messaging.channels.base import Attachment, Message, Result
from notifyhub.messaging.channels.smtp.backend import SmtpBackend
from notifyhub.messaging.channels.smtp.replies import ReplyReader
from notifyhub.messaging.tests.kit.bad_smtp import DEEDS, STEPS, YES, Cues, Decide, Session

QUICK = tuple(deed for deed in DEEDS if deed not in ("hang", "drip"))
CUES = (
    *(f"{step}-{deed}" for step in STEPS for deed in QUICK),
    *(f"dot-take-{deed}" for deed in QUICK if not deed.isdigit() and deed != "twice"),
)


def mails(*addresses: str) -> list[Message]:
    return [
        Message(reference=f"1-{n}", key=f"k{n}", host="h.example", channel="email", to=to, text="Hi\n.\nyou")
        for n, to in enumerate(addresses)
    ]


def converse(
    decide: Decide, messages: list[Message], *, pipelining: bool = True, **options: Any
) -> tuple[list[Result], Counter[str], int]:
    """Send messages to a server in this process; return results, what it took by name, its connections."""
    taken: Counter[str] = Counter()
    may_send: Callable[[], bool] = options.pop("may_send", lambda: True)
    kind: type[Session] = options.pop("kind", Session)
    opened: list[Session] = []

    def session() -> Session:
        opened.append(kind(decide, lambda _address, name: taken.update([name]), pipelining=pipelining))
        return opened[-1]

    async def run() -> list[Result]:
        server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        values = {"host": "127.0.0.1", "port": port, "security": "none", "from_email": "news@shop.example"}
        account = SmtpBackend({**values, "connections": 1, "timeout": 0.1, "dot_timeout": 0.1, **options})
        try:
            return await account.send_many(messages, may_send=may_send)
        finally:
            await account.close()
            server.close()
            for one in opened:
                one.transport.abort()
            await asyncio.sleep(0)

    return asyncio.run(run()), taken, len(opened)


@settings(max_examples=300, deadline=None)
@given(
    cues=st.lists(
        st.just("fine") | st.sampled_from(CUES) | st.sampled_from(CUES).map("once-{}".format),
        min_size=4,
        max_size=10,
    ),
    pipelining=st.booleans(),
    connections=st.integers(1, 3),
    patience=st.integers(1, 60),
)
def test_no_answer_is_the_opposite_of_what_happened(
    cues: list[str], pipelining: bool, connections: int, patience: int
) -> None:
    asked = iter(range(patience))
    results, taken, _ = converse(
        Cues(),
        mails(*(f"{cue}.{n}@x.example" for n, cue in enumerate(cues))),
        pipelining=pipelining,
        connections=connections,
        may_send=lambda: next(asked, None) is not None,
    )
    for place, result in enumerate(results):
        count = taken[f"k{place}@h.example"]
        assert count <= 1
        if result.kind == "accepted":
            assert count == 1, result
        elif result.kind != "ambiguous":
            assert count == 0, result
    assert set(taken) <= {f"k{place}@h.example" for place in range(len(cues))}


KINDS = {
    "mail-450": ("transient", "450"),
    "mail-550": ("transient", "550"),
    "mail-421": ("transient", "421"),
    "mail-close": ("transient", "connect"),
    "mail-wrong": ("transient", "protocol"),
    "rcpt-450": ("transient", "450"),
    "rcpt-550": ("permanent", "550"),
    "rcpt-421": ("transient", "421"),
    "rcpt-rst": ("transient", "connect"),
    "rcpt-hang": ("transient", "connect"),
    "rcpt-garbage": ("transient", "connect"),
    "rcpt-endless": ("transient", "connect"),
    "rcpt-twice": ("transient", "protocol"),
    "data-450": ("transient", "450"),
    "data-550": ("permanent", "550"),
    "data-close": ("transient", "connect"),
    "data-wrong": ("transient", "protocol"),
    "data-drip": ("accepted", "250"),
    "data-twice": ("transient", "connect"),
    "dot-450": ("transient", "450"),
    "dot-550": ("permanent", "550"),
    "dot-421": ("transient", "421"),
    "dot-close": ("ambiguous", "no_reply"),
    "dot-take-close": ("ambiguous", "no_reply"),
    "dot-take-rst": ("ambiguous", "no_reply"),
    "dot-take-hang": ("ambiguous", "no_reply"),
    "dot-take-garbage": ("ambiguous", "no_reply"),
    "dot-take-endless": ("ambiguous", "no_reply"),
    "dot-take-wrong": ("ambiguous", "protocol"),
    "dot-twice": ("accepted", "250"),
    "dot-drip": ("accepted", "250"),
}


@pytest.mark.parametrize("cue", KINDS)
def test_one_bad_moment_is_the_matter_of_one_message(cue: str) -> None:
    messages = mails("a@x.example", f"{cue}@x.example", "b@x.example", "c@x.example")
    results, taken, _ = converse(Cues(), messages, timeout=0.2, dot_timeout=0.2)
    assert (results[1].kind, results[1].code) == KINDS[cue]
    # A yes too many is taken for an answer to the next envelope, which is then not trusted; nothing is lost.
    good = (0, 3) if cue == "dot-twice" else (0, 2, 3)
    assert [results[place].kind for place in good] == ["accepted"] * len(good)
    assert all(taken[f"k{place}@h.example"] == 1 for place in good)


@pytest.mark.parametrize("cue", [cue for cue in KINDS if not cue.startswith("mail")])
def test_a_server_without_pipelining_is_understood_as_well(cue: str) -> None:
    messages = mails("a@x.example", f"{cue}@x.example", "b@x.example")
    results, taken, _ = converse(Cues(), messages, timeout=0.2, dot_timeout=0.2, pipelining=False)
    assert results[1].kind == KINDS[cue][0] or cue == "rcpt-twice"
    assert [results[0].kind, results[2].kind] == ["accepted"] * 2
    assert (taken["k0@h.example"], taken["k2@h.example"]) == (1, 1)


def test_what_was_not_yet_handed_over_when_the_answer_failed_goes_over_the_next_connection() -> None:
    messages = mails("a@x.example", "dot-take-close@x.example", "b@x.example", "c@x.example")
    results, taken, connections = converse(Cues(), messages)
    assert [one.kind for one in results] == ["accepted", "ambiguous", "accepted", "accepted"]
    assert connections == 2
    assert max(taken.values()) == 1


def test_an_end_of_the_session_after_some_mails_costs_none_of_them() -> None:
    served = iter(range(100))

    def decide(step: str, address: str) -> str:
        return "421" if step == "mail" and next(served) % 5 == 4 else "ok"

    results, _, connections = converse(decide, mails(*(f"p{n}@x.example" for n in range(20))))
    assert {one.kind for one in results} == {"accepted"}
    assert connections == 5


def test_a_server_that_has_fallen_silent_keeps_few_mails_in_doubt() -> None:
    silent = mails(*(f"dot-take-hang.{n}@x.example" for n in range(20)))
    results, taken, _ = converse(Cues(), silent, connections=2)
    assert Counter(one.kind for one in results)["ambiguous"] == sum(taken.values()) <= 6
    assert all(one.account_trouble for one in results if one.kind == "transient")


def test_a_recipient_who_is_refused_gets_no_text_although_the_server_asks_for_it() -> None:
    class Asking(Session):
        def _command(self, line: bytes) -> None:
            if line == b"DATA" and not self.recipients:
                self.recipients, self.in_data = ["nobody"], True
                self.say("354 go on")
            else:
                super()._command(line)

    texts: list[bytes] = []

    class Listening(Asking):
        def _dot(self, text: bytes) -> None:
            texts.append(text)
            super()._dot(text)

    addresses = ("a@x.example", "rcpt-550@x.example", "b@x.example")
    results, _, connections = converse(Cues(), mails(*addresses), kind=Listening, timeout=2, dot_timeout=2)
    assert [one.kind for one in results] == ["accepted", "permanent", "accepted"]
    assert [bool(text.strip()) for text in texts] == [True, False, True]
    assert connections == 1


@pytest.mark.parametrize(("farewell", "kind"), [("552 too much", "permanent"), ("", "transient")])
def test_a_text_that_was_cut_off_in_its_middle_is_certainly_not_taken(farewell: str, kind: str) -> None:
    class Overwhelmed(Session):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if len(self.buffer) > 500_000 and not self.deaf:
                if farewell:
                    self.say(farewell)
                self._hang_up()

    large = Attachment(name="a", content_type="a/b", content=b"x" * 20_000_000)
    first, second = mails("a@x.example", "b@x.example")
    results, taken, _ = converse(
        Cues(),
        [dataclasses.replace(first, attachments=(large,)), second],
        kind=Overwhelmed,
        timeout=5,
        dot_timeout=5,
    )
    # A connection may be cut before its last words are read; then the mail is tried again.
    assert results[0].kind in (kind, "transient")
    assert results[1].kind == "accepted"
    assert set(taken) == {"k1@h.example"}


@given(
    replies=st.lists(st.tuples(st.sampled_from(sorted(YES.values())), st.integers(0, 3)), max_size=6),
    cuts=st.lists(st.integers(1, 12), min_size=1),
)
def test_replies_are_read_however_they_are_cut(replies: list[tuple[str, int]], cuts: list[int]) -> None:
    said = "".join(f"{text[:3]}-more\r\n" * more + f"{text}\r\n" for text, more in replies).encode()
    reader, found, place = ReplyReader(), [], 0
    while place < len(said):
        step = cuts[len(found) % len(cuts)]
        found += reader.feed(said[place : place + step])
        place += step
    assert not reader.broken
    assert [(one.code, one.text.split("\n")[-1]) for one in found] == [
        (int(t[:3]), t[4:]) for t, _ in replies
    ]
