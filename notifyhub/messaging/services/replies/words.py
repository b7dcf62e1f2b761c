"""What a short reply means: words by which a customer refuses offers, or asks for them again.

Who sends commercial SMS in China must name a way to refuse them in each, and stop when it is used: MIIT,
通信短信息服务管理规定, articles 18 to 20. The ways that carriers and vendors print are R, T, N, TD and
退订, the last two also with a code of the sender behind them. The English ones are the standard keywords of
the CTIA's Messaging Principles and Best Practices (opt-out mechanisms), which carriers of North America
enforce.

Only a reply that is nothing but such a word counts: a sentence with "stop" in it is for a person to read.
"""

import re
import unicodedata

from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import InboundMessage

Meaning = InboundMessage.Meaning

# Written as they are compared: NFKC, case folded, letters and digits only.
STOP_WORDS = frozenset(
    (
        *("退订", "退訂", "拒收", "取消订阅", "不再接收", "停止发送", "不要再发"),
        *("td", "stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"),
    )
)
# A letter alone means something only where the message before it said so, which SMS do.
STOP_LETTERS = frozenset(("r", "t", "n"))
# 退订 and TD may have the sender's own code behind them.
WITH_CODE = re.compile(r"(?:退订|退訂|td)[0-9a-z]{1,8}")
START_WORDS = frozenset(
    ("订阅", "訂閱", "恢复订阅", "重新订阅", "恢复接收", "start", "unstop", "subscribe", "optin")
)
# "回复T", as people copy it from the message.
_ECHO = re.compile(r"(?:回复|回覆|回)(?=.)")


def flatten(text: str) -> str:
    """Return `text` as the words are written: width, case, blanks and punctuation do not count."""
    flat = unicodedata.normalize("NFKC", text).casefold()
    return "".join(one for one in flat if one.isalnum())


def read_meaning(text: str, *, channel: str) -> Meaning:
    """Return what a reply asks for; TEXT for anything that is not one of the words alone."""
    if len(text) > 40:
        return Meaning.TEXT
    flat = flatten(text)
    word = _ECHO.sub("", flat, count=1) if _ECHO.match(flat) else flat
    if word in STOP_WORDS or WITH_CODE.fullmatch(word):
        return Meaning.STOP
    if channel == Channel.SMS and word in STOP_LETTERS:
        return Meaning.STOP
    if word in START_WORDS:
        return Meaning.START
    return Meaning.TEXT
