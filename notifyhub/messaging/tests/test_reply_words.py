"""Which replies refuse offers, which ask for them again, and which are for a person to read."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyhub.messaging.models import InboundMessage
from notifyhub.messaging.services.replies.words import START_WORDS, STOP_WORDS, read_meaning

Meaning = InboundMessage.Meaning


@pytest.mark.parametrize(
    "text",
    [
        *(
            "R",
            "r",
            "Ｒ",
            " r ",
            "“R”",
            "R。",
            "T",
            "t!",
            "N",
            "TD",
            "td",
            "Ｔｄ",
            "T D",
            "TD1024",
            "退订",
            "退订 8820",
        ),
        *("【退订】", "退订。", "退訂", "回复R", "回T", "STOP", "Stop.", "S T O P", "ＳＴＯＰ", "stop all"),
        *(
            "Unsubscribe",
            "UNSUBSCRIBE!!",
            "quit",
            "End",
            "cancel",
            "opt-out",
            "拒收",
            "\u3000退订\r\n",
            "取消订阅",
        ),
    ],
)
def test_these_refuse(text: str) -> None:
    assert read_meaning(text, channel="sms") == Meaning.STOP


@pytest.mark.parametrize(
    "text", ["START", "start", "Ｓtart", "订阅", "重新订阅", "UNSTOP", "回复订阅", "subscribe."]
)
def test_these_ask_again(text: str) -> None:
    assert read_meaning(text, channel="sms") == Meaning.START


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "。",
            "T_T",
            "TT",
            "RR",
            "回",
            "回复",
            "please stop calling",
            "退订怎么操作",
            "我要退订酒店的房间",
        ),
        *(
            "取消订单",
            "stopped",
            "no",
            "不",
            "1",
            "N/A",
            "start the engine",
            "订阅号",
            "退订123456789",
            "R" * 41,
        ),
    ],
)
def test_these_are_for_a_person(text: str) -> None:
    assert read_meaning(text, channel="sms") == Meaning.TEXT


def test_a_letter_alone_means_nothing_where_no_message_says_so() -> None:
    assert read_meaning("R", channel="wechat") == Meaning.TEXT
    assert read_meaning("STOP", channel="wechat") == Meaning.STOP


WIDE = {ord(c): chr(ord(c) + 0xFEE0) for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}
PADDING = st.text(st.sampled_from(" \t\r\n\u3000.,!?。，！？“”【】()~*-"), max_size=6)


@given(
    word=st.sampled_from(sorted(STOP_WORDS | START_WORDS)),
    before=PADDING,
    after=PADDING,
    upper=st.booleans(),
    wide=st.booleans(),
)
def test_width_case_blanks_and_punctuation_never_matter(
    word: str, before: str, after: str, upper: bool, wide: bool
) -> None:
    shown = word.upper() if upper else word
    shown = shown.translate(WIDE) if wide else shown
    wanted = Meaning.STOP if word in STOP_WORDS else Meaning.START
    assert read_meaning(f"{before}{shown}{after}", channel="sms") == wanted


@given(st.text(max_size=60))
def test_any_text_has_a_meaning_and_its_spelling_does_not_change_it(text: str) -> None:
    same = unicodedata.normalize("NFKC", text)
    if len(same) <= 40 and len(text) <= 40:
        assert read_meaning(text, channel="sms") == read_meaning(same, channel="sms")
