"""Words that raise the severity of a case, which they never lower, and words that only say thanks."""

from feedback.models import Severity
from notifyhub.messaging.services.replies import flatten

# Replies that ask for nothing, as they are compared: see `flatten`.
THANKS = frozenset(
    (
        *(
            "谢谢",
            "谢谢你",
            "谢谢您",
            "多谢",
            "感谢",
            "好",
            "好的",
            "好的谢谢",
            "收到",
            "知道了",
            "嗯",
            "嗯嗯",
        ),
        *("ok", "okay", "thanks", "thankyou", "thx", "thankyouverymuch", "gotit", "great"),
    )
)

# A wrong alarm costs a lead one look; a missed one costs a child's health. So the words are broad.
RAISING: dict[str, tuple[str, ...]] = {
    Severity.S1: (
        "食物中毒",
        "中毒",
        "上吐下泻",
        "住院",
        "送医",
        "急救",
        "受伤",
        "划伤",
        "割伤",
        "烫伤",
        "骨折",
        "流血",
        "过敏",
        "异物",
        "隐私",
        "泄露",
        "骚扰",
        "性骚扰",
        "威胁",
        "报警",
        "记者",
        "媒体",
        "曝光",
        "起诉",
        "律师",
        "food poisoning",
        "poisoned",
        "hospital",
        "ambulance",
        "injur",
        "bleeding",
        "burned",
        "allerg",
        "privacy",
        "leaked",
        "harass",
        "threat",
        "police",
        "journalist",
        "reporter",
        "lawyer",
        "lawsuit",
    ),
    Severity.S2: (
        "12315",
        "消协",
        "投诉到",
        "没有房",
        "无房",
        "到店无房",
        "重复扣款",
        "多扣",
        "被取消",
        "consumer association",
        "no room",
        "charged twice",
        "stranded",
    ),
}


def raise_severity(*, severity: str, text: str) -> tuple[str, str]:
    """Return the severity after reading `text`, and the word that raised it ("" if none did)."""
    low = text.lower()
    for level in (Severity.S1, Severity.S2):
        if level >= severity:
            break
        for word in RAISING[level]:
            if word in low:
                return level, word
    return severity, ""


def says_thanks(text: str) -> bool:
    """Say whether a reply is nothing but thanks, or a sign that it was read."""
    flat = flatten(text)
    return not flat or flat in THANKS
