"""A few connections working off one list of messages."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from notifyhub.messaging.channels.base import LEASE_LOST, Message, Result
from notifyhub.messaging.channels.smtp import answers
from notifyhub.messaging.channels.smtp.client import Mail, SmtpConnection
from notifyhub.messaging.channels.smtp.headers import MailError
from notifyhub.messaging.channels.smtp.session import SmtpConfig, SmtpError

logger = logging.getLogger(__name__)

# After so many mails in a row without a clear answer a lane ends: each would only cost the whole patience,
# and perhaps stay in doubt.
ENOUGH = 3

Write = Callable[[int, Message, SmtpConnection], Mail]


class Job:
    """Messages to hand over, and what became of each."""

    def __init__(self, messages: Sequence[Message], *, write: Write, may_send: Callable[[], bool]) -> None:
        self.messages = messages
        self.write = write
        self.may_send = may_send
        self.waiting = deque(range(len(messages)))
        self.answers: list[Result | None] = [None] * len(messages)
        # Why the last lane that ended before its time did.
        self.trouble: Result | None = None

    def results(self) -> list[Result]:
        """Return a result for each message; what nobody took was never offered."""
        if self.trouble is not None and self.may_send():
            for place in self.waiting:
                self.answers[place] = self.trouble
        return [answer or LEASE_LOST for answer in self.answers]


class Lane:
    """The mails that go over one connection at a time; see `client.Source`."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.may_send = job.may_send
        # What a broken connection had not got goes first over the next one.
        self.carried: list[int] = []
        self._troubles = 0
        self._last: Result | None = None

    def take(self, connection: SmtpConnection, *, asked: bool = False) -> Mail | None:
        """Return the next mail that can be written; one that cannot is settled on the way."""
        job = self.job
        while (self.carried or job.waiting) and self._troubles < ENOUGH and (asked or job.may_send()):
            place = self.carried.pop() if self.carried else job.waiting.popleft()
            try:
                return job.write(place, job.messages[place], connection)
            except MailError as error:
                job.answers[place] = Result(kind="permanent", code=error.code, detail=str(error))
            except Exception as error:
                # Whatever else one message breaks is its own failure; nothing of it was sent.
                logger.exception("Message %s cannot be written", job.messages[place].reference)
                detail = type(error).__name__
                job.answers[place] = Result(kind="permanent", code="message", detail=detail)
        return None

    def settle(self, mail: Mail, result: Result) -> None:
        """Note what became of a mail."""
        self.job.answers[mail.place] = result
        if result.account_trouble or result.kind == "ambiguous":
            self._troubles += 1
            self._last = answers.never_offered(result.detail, code=result.code)
        else:
            self._troubles = 0

    def give_back(self, mail: Mail) -> None:
        """Keep a mail for the next connection."""
        self.carried.append(mail.place)

    async def run(self, config: SmtpConfig, idle: list[SmtpConnection], keep: int) -> None:
        """Work until there is nothing left to do, or no connection to do it with."""
        job = self.job
        while (self.carried or job.waiting) and self._troubles < ENOUGH and job.may_send():
            connection = None if self.carried else _idle_one(idle)
            if connection is None:
                connection = SmtpConnection(config)
                try:
                    await connection.connect()
                except SmtpError as error:
                    # The lanes that have a connection take the rest.
                    code = str(error.code or answers.CONNECT)
                    self._troubles, self._last = ENOUGH, answers.never_offered(error.text, code=code)
                    break
            await connection.deliver(self)
            if connection.alive and len(idle) < keep:
                idle.append(connection)
            else:
                await connection.close()
        if self._troubles >= ENOUGH:
            job.trouble = self._last
        job.waiting.extendleft(self.carried)


async def run_lanes(job: Job, config: SmtpConfig, idle: list[SmtpConnection], keep: int) -> None:
    """Work the job off with up to `keep` connections; those that are left over go to `idle`."""
    count = min(keep, len(job.messages))
    if count == 1:
        await Lane(job).run(config, idle, keep)
        return
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(Lane(job).run(config, idle, keep))


def _idle_one(idle: list[SmtpConnection]) -> SmtpConnection | None:
    while idle:
        connection = idle.pop()
        if connection.alive and not connection.rested:
            return connection
        connection.abort()
    return None
