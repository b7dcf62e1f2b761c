"""What each answer of a server proves about one message.

Up to the end of DATA an error means that the server did not take it. After the final dot only its reply can
tell: without one the message may be on its way (RFC 1047), and nobody may say it is not.
"""

import re
from collections.abc import Sequence

from notifyhub.messaging.channels.base import Result
from notifyhub.messaging.channels.smtp.replies import Reply

# Codes of what no server said: no connection, no reply to the dot, an answer that belongs elsewhere.
CONNECT = "connect"
NO_REPLY = "no_reply"
ODD = "protocol"

SHUTTING_DOWN = 421
TOO_LARGE = 552


# A mail taken, and MAIL, RCPT and DATA of the next answered as one hopes; the groups are about the mail.
ALL_WELL = re.compile(rb"(2\d\d) ([^\r\n]{0,500})\r\n(?:2\d\d [^\r\n]{0,500}\r\n){2}3\d\d [^\r\n]{0,500}\r\n")


def taken(found: re.Match[bytes], reference: str) -> Result:
    """Return what the first of the replies of ALL_WELL says."""
    code, words = found.groups()
    return Result(
        kind="accepted", provider_ref=reference, code=code.decode(), detail=words.decode("utf-8", "replace")
    )


def judge_dot(reply: Reply, reference: str) -> Result:
    """Return what the reply to the final dot says; `reference` names an accepted message."""
    if reply.code < 300:
        return Result(kind="accepted", provider_ref=reference, code=str(reply.code), detail=reply.text)
    if reply.code < 400:
        # Neither taken nor refused: whoever answers so may have done anything with it.
        return Result(kind="ambiguous", code=ODD, detail=f"{reply.code} {reply.text}")
    return _refusal(reply)


def dot_unanswered(why: str) -> Result:
    """Return the result of a message whose dot was written and never answered."""
    return Result(kind="ambiguous", code=NO_REPLY, detail=why)


def refused_early(reply: Reply) -> Result:
    """Return what a reply in the middle of a message says, before its dot was written."""
    return _refusal(reply) if reply.code >= 400 else _out_of_order(reply)


def find_refusal(replies: Sequence[Reply]) -> Result | None:
    """Return the first refusal among the replies to MAIL, RCPT and DATA, or None if there is none so far."""
    for place, (reply, good) in enumerate(zip(replies, (2, 2, 3), strict=False)):
        if reply.code // 100 == good:
            continue
        if reply.code < 400:
            return _out_of_order(reply)
        if place == 0 and reply.code != TOO_LARGE:
            # Nobody was named yet: the sender or the login is refused, and any other message would be too.
            return never_offered(reply.text, code=str(reply.code))
        return _refusal(reply)
    return None


def never_offered(why: str, code: str = CONNECT) -> Result:
    """Return the result of a message that the server did not get, which is not about this message."""
    return Result(kind="transient", code=code, detail=why, account_trouble=True)


def _out_of_order(reply: Reply) -> Result:
    return never_offered(f"{reply.code} {reply.text}", code=ODD)


def _refusal(reply: Reply) -> Result:
    if reply.code >= 500:
        return Result(kind="permanent", code=str(reply.code), detail=reply.text)
    trouble = reply.code == SHUTTING_DOWN
    return Result(kind="transient", code=str(reply.code), detail=reply.text, account_trouble=trouble)
