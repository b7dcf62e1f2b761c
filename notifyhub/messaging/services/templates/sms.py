"""How long a text message is, counted as the bill counts it."""

from dataclasses import dataclass

# 3GPP TS 23.038, the default alphabet; the second row costs two places each.
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_TWICE = frozenset("^{}\\[~]|€\f")
OPT_OUT = {"zh-hans": "拒收请回复R", "en": "Reply STOP"}


@dataclass(frozen=True, slots=True)
class SmsSize:
    """Characters with signature, parts to pay, places in a part, and the alphabet."""

    characters: int
    parts: int
    per_part: int
    alphabet: str


def with_signature(*, text: str, signature: str) -> str:
    """Return the text as it is sent: its signature in front, in the brackets the carriers ask for."""
    return f"【{signature}】{text}" if signature else text


def measure(*, text: str, signature: str = "", mainland: bool = True) -> SmsSize:
    """Return the size of a text. Mainland carriers bill by characters of any kind, 70 alone and 67 in parts;
    elsewhere a text within GSM-7 has 160 and 153."""
    full = with_signature(text=text, signature=signature)
    if not mainland and all(char in GSM_7 or char in GSM_7_TWICE for char in full):
        alphabet, single, joined = "GSM-7", 160, 153
        length = sum(2 if char in GSM_7_TWICE else 1 for char in full)
    else:
        # Outside the basic plane (emoji) a character takes two UTF-16 units.
        alphabet, single, joined = "UCS-2", 70, 67
        length = sum(2 if ord(char) > 0xFFFF else 1 for char in full)
    if length <= single:
        return SmsSize(length, 1 if length else 0, single, alphabet)
    return SmsSize(length, -(-length // joined), joined, alphabet)
