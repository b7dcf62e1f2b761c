"""Mail after mail over one connection.

Where the server offers PIPELINING (RFC 2920) MAIL, RCPT and DATA go out together, and behind the final dot of
a mail follows the envelope of the next in the same write. Elsewhere each command waits for its reply.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from notifyhub.messaging.channels.base import Result
from notifyhub.messaging.channels.smtp import answers
from notifyhub.messaging.channels.smtp.replies import Reply
from notifyhub.messaging.channels.smtp.session import SmtpConfig, end_session, open_session
from notifyhub.messaging.channels.smtp.wire import BUFFER, SILENT, Wire

# After that long a firewall on the way may have forgotten the connection without telling anybody.
IDLE_SECONDS = 60.0


@dataclass(slots=True)
class Mail:
    """One mail to hand over: its place among the messages, its name, its three commands (MAIL, RCPT, DATA)
    in one, and its text with the dots stuffed, up to the final dot."""

    place: int
    reference: str
    envelope: bytes
    body: bytes


class Source(Protocol):
    """Where a connection gets its mails from, and whom it tells what became of them."""

    def take(self, connection: "SmtpConnection", *, asked: bool = False) -> Mail | None:
        """Return the next mail, written for what this server can take, or None if there is none.

        `asked` says that `may_send` has just said yes.
        """

    def may_send(self) -> bool:
        """Say whether a body may still be handed over."""

    def settle(self, mail: Mail, result: Result) -> None:
        """Learn what became of a mail."""

    def give_back(self, mail: Mail) -> None:
        """Take back a mail that the server certainly has not got, for another connection to try."""


class SmtpConnection:
    """One session: `connect` once, `deliver` many times, `close`. Not shared between tasks."""

    def __init__(self, config: SmtpConfig) -> None:
        self.config = config
        self.extensions: dict[str, str] = {}
        self.wire: Wire
        self.eight_bit = self.pipelining = False
        self.says_size = False
        self.size_limit = 0
        self._source: Source
        self._done: asyncio.Future[None]
        self._rested = 0.0
        # What the first reply is to: to the dot of a mail, or to RSET.
        self._sent: Mail | None = None
        self._resetting = False
        # The mail whose envelope is under way, the commands of it to write yet, the answers it has so far.
        self._offered: Mail | None = None
        self._unsaid: list[bytes] = []
        self._answers: list[Reply] = []
        # Whether the session has proved itself: an end of it now is not about the mail of the moment.
        self._proved = False
        self._next: Callable[[], None]

    @property
    def alive(self) -> bool:
        """Say whether the session can take another mail."""
        return self.wire.alive

    @property
    def rested(self) -> bool:
        """Say whether it was idle for so long that it is better not used again."""
        return self.wire.loop.time() - self._rested > IDLE_SECONDS

    async def connect(self) -> None:
        """Open the session up to AUTH; raise SmtpError."""
        self.wire, self.extensions = await open_session(self.config)
        self._rested = self.wire.loop.time()
        self.pipelining = "PIPELINING" in self.extensions
        self.eight_bit = "8BITMIME" in self.extensions
        self.says_size = "SIZE" in self.extensions
        size = self.extensions.get("SIZE", "")
        self.size_limit = int(size) if size.isascii() and size.isdigit() else 0

    async def deliver(self, source: Source) -> None:
        """Hand over what the source gives until it gives no more or the session ends.

        Each mail taken is settled or given back, unless `may_send` stopped it before its text was written.
        """
        self._source = source
        self._done = self.wire.loop.create_future()
        try:
            self._go_on()
            await self._done
        except BaseException:
            self.abort()
            raise
        self._rested = self.wire.loop.time()

    async def close(self) -> None:
        """End the session politely, without waiting long."""
        await end_session(self.wire)

    def abort(self) -> None:
        """Drop the connection at once, with whatever was not written yet."""
        self.wire.abort()

    def _ask(
        self,
        data: bytes,
        expected: int,
        then: Callable[[], None],
        *,
        dot: bool = False,
        whole: re.Pattern[bytes] | None = None,
    ) -> None:
        self._next = then
        first = self.config.dot_timeout if dot else self.config.timeout
        self.wire.ask(data, expected, self._called, first=first, each=self.config.timeout, whole=whole)

    def _called(self) -> None:
        # The loop would swallow an error of ours and leave whoever waits for the mails waiting.
        try:
            self._next()
        except Exception as error:
            self.abort()
            if not self._done.done():
                self._done.set_exception(error)

    def _stop(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _go_on(self, *, reset: bool = False) -> None:
        """Take the next mail, after RSET where a refusal left an envelope open."""
        if self.alive:
            self._write(None, *((b"RSET\r\n",) if reset else ()))
        else:
            self._stop()

    def _send_body(self, mail: Mail) -> None:
        """Write the text of a mail that the server asked for."""
        source = self._source
        if not source.may_send():
            # There is no way back from DATA but to hang up: even an empty mail would be one.
            self.abort()
            self._stop()
        elif len(mail.body) > BUFFER:
            self._next = lambda: self._poured(mail)
            self.wire.pour(mail.body, self._called, seconds=self.config.dot_timeout)
        elif self.pipelining and (following := source.take(self, asked=True)) is not None:
            # What `_write` comes to while all goes well, without its questions.
            self._sent, self._offered, self._resetting = mail, following, False
            self._answers = []
            self._next = self._heard
            config = self.config
            self.wire.ask(
                b"%b.\r\n%b" % (mail.body, following.envelope),
                4,
                self._called,
                first=config.dot_timeout,
                each=config.timeout,
                whole=answers.ALL_WELL,
            )
        else:
            self._write(mail, mail.body, b".\r\n")

    def _poured(self, mail: Mail) -> None:
        """Write the dot behind a long text, unless something was wrong before."""
        wire, source = self.wire, self._source
        if wire.alive and source.may_send():
            self._write(mail, b".\r\n")
            return
        if wire.got:
            source.settle(mail, answers.refused_early(wire.got[0]))
        elif not wire.alive:
            source.settle(mail, answers.never_offered(wire.error or SILENT))
        self.abort()
        self._stop()

    def _write(self, mail: Mail | None, *lead: bytes) -> None:
        """Write `lead`, which is the end of `mail` or RSET or nothing, and where the server allows it the
        next envelope with it."""
        self._sent, self._resetting = mail, mail is None and bool(lead)
        self._answers = []
        expected = 1 if lead else 0
        self._offered = following = self._source.take(self) if self.pipelining or not lead else None
        if following is not None:
            said, *self._unsaid = (
                [following.envelope] if self.pipelining else following.envelope.splitlines(keepends=True)
            )
            lead += (said,)
            expected += 3 if self.pipelining else 1
        if expected:
            # What is nearly always answered to a dot and an envelope is known by one look.
            whole = answers.ALL_WELL if mail is not None and expected == 4 else None
            self._ask(b"".join(lead), expected, self._heard, dot=mail is not None, whole=whole)
        else:
            self._stop()

    def _heard(self) -> None:
        """Judge the first replies of a write, and then those to the envelope behind it."""
        replies, sent, offered = self.wire.got, self._sent, self._offered
        found = self.wire.found
        if found is not None and sent is not None and offered is not None:
            self._proved = True
            self._source.settle(sent, answers.taken(found, sent.reference))
            self._send_body(offered)
            return
        sound = True
        if sent is not None:
            self._proved = True
            if replies:
                result = answers.judge_dot(replies[0], sent.reference)
                sound = result.kind != "ambiguous" and replies[0].code != answers.SHUTTING_DOWN
            else:
                result, sound = answers.dot_unanswered(self.wire.error), False
            self._source.settle(sent, result)
        elif self._resetting:
            sound = bool(replies) and replies[0].code == 250
        if not sound:
            # What else was said is not about the envelope, or nobody knows what it is about.
            self.abort()
            if offered is not None:
                self._source.give_back(offered)
            self._stop()
        elif offered is None:
            self._go_on()
        else:
            self._answers = replies[1:] if sent is not None or self._resetting else list(replies)
            self._judge_envelope(offered)

    def _heard_more(self) -> None:
        assert self._offered is not None
        self._answers += self.wire.got
        self._judge_envelope(self._offered)

    def _judge_envelope(self, mail: Mail) -> None:
        """Go on with the text, with the next command, or with the next mail."""
        codes = [one.code for one in self._answers]
        refusal = answers.find_refusal(self._answers)
        if answers.SHUTTING_DOWN in codes or (refusal and refusal.code == answers.ODD):
            self.abort()
        if refusal is None and self.alive:
            if len(codes) == 3:
                self._send_body(mail)
            else:
                self._ask(self._unsaid.pop(0), 1, self._heard_more)
            return
        hung_up = refusal is None or refusal.code == str(answers.SHUTTING_DOWN)
        if hung_up and self._proved and self.wire.error != SILENT:
            # Servers end sessions after so many mails, or idle ones: that says nothing about this mail.
            self._source.give_back(mail)
        else:
            self._source.settle(mail, refusal or answers.never_offered(self.wire.error))
        self._proved = True
        if self.alive and len(codes) == 3 and codes[2] < 400:
            self._withhold(codes)
        else:
            self._go_on(reset=True)

    def _withhold(self, codes: list[int]) -> None:
        """Give no text to a server that refused a part of the envelope and asks for the text all the same."""
        if codes[0] < 300 and codes[1] >= 400:
            # There is nobody it could go to, so a lone dot is no mail.
            self._ask(b".\r\n", 1, lambda: self._go_on(reset=True), dot=True)
        else:
            self.abort()
            self._stop()
