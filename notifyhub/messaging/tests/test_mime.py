"""Mail as bytes: what we write is what the standard library reads."""

import email
import email.policy
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from notifyhub.messaging.channels.base import Message, Sender
from notifyhub.messaging.channels.smtp.mime import build_mail, stuff_dots

# Everything but surrogates, which are no text; line ends of all kinds, controls and emoji are in.
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)


def mail(**fields: object) -> Message:
    facts: dict[str, object] = {
        "reference": "1-2",
        "key": "abc.2",
        "channel": "email",
        "to": "li@mail.example",
        "text": "Hello",
    }
    return Message(**{**facts, **fields})  # type: ignore[arg-type]


def read(message: Message, *, sender_name: str = "觅食") -> EmailMessage:
    raw = build_mail(message, sender_name=sender_name, sender="news@shop.example")
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def flat(text: str) -> str:
    """Return a text as a header shows it: breaks and controls are blanks, blanks at the ends are none."""
    return " ".join("".join(" " if ord(one) < 32 or 127 <= ord(one) < 160 else one for one in text).split())


@given(subject=words, name=words)
def test_subjects_and_names_arrive_as_they_were(subject: str, name: str) -> None:
    found = read(mail(subject=subject, to_name=name), sender_name=name)
    raw = email.message_from_bytes(
        build_mail(mail(subject=subject, to_name=name), sender_name=name, sender="news@shop.example")
    )
    assert set(raw.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"),
        *("Content-Type", "Content-Transfer-Encoding"),
    }
    decoded = email.header.make_header(email.header.decode_header(raw["Subject"] or ""))
    assert "".join(str(decoded).split()) == "".join(flat(subject.replace("\u2028", " ")).split())
    assert found["To"].addresses[0].addr_spec == "li@mail.example"
    assert len(found["To"].addresses) == len(found["From"].addresses) == 1


@given(text=words, html=st.none() | words)
def test_texts_arrive_as_they_were(text: str, html: str | None) -> None:
    found = read(mail(text=text, html=html))

    def body(kind: str) -> str:
        part = found.get_body((kind,))
        assert part is not None
        return (part.get_payload(decode=True) or b"").decode()  # type: ignore[union-attr]

    def lines(value: str) -> str:
        return value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")

    assert body("plain") == lines(text)
    if html is not None:
        assert found.get_content_type() == "multipart/alternative"
        assert body("html") == lines(html)


@given(subject=words, name=words, text=words, html=words)
def test_no_line_is_too_long_and_no_text_becomes_a_header(
    subject: str, name: str, text: str, html: str
) -> None:
    message = mail(subject=subject, to_name=name, text=text, html=html, sender=Sender(reply_to="a@b.example"))
    raw = build_mail(message, sender_name=name, sender="news@shop.example")
    assert raw.isascii()
    for line in raw.split(b"\r\n"):
        assert len(line) <= 300
        assert b"\n" not in line
        assert b"\r" not in line


def test_a_header_cannot_be_smuggled_in() -> None:
    message = mail(
        subject="Hi\r\nBcc: all@shop.example",
        to_name="Li\r\nX-Evil: 1",
        headers=(("List-Unsubscribe", "<https://x.example/u/1>\r\nX-Evil: 2"),),
    )
    found = read(message)
    assert "Bcc" not in found
    assert "X-Evil" not in found
    assert found["Subject"] == "Hi Bcc: all@shop.example"


def test_the_message_id_is_the_same_on_every_try() -> None:
    assert read(mail())["Message-ID"] == read(mail())["Message-ID"] == "<abc.2@shop.example>"


def test_a_chinese_mail_reads_well() -> None:
    found = read(mail(subject="【觅食】您的外卖已超时，送您一张券" * 3, to_name="李雷", text="您好"))
    assert found["Subject"] == "【觅食】您的外卖已超时，送您一张券" * 3
    assert found["From"].addresses[0].display_name == "觅食"
    assert found["To"].addresses[0].display_name == "李雷"
    assert found.get_content_charset() == "utf-8"


@given(lines=st.lists(st.sampled_from([b".", b"..", b"a", b"", b".a"]), max_size=8))
def test_dots_are_stuffed_so_that_no_line_ends_the_message(lines: list[bytes]) -> None:
    data = b"\r\n".join(lines)
    stuffed = stuff_dots(data)
    assert stuffed.endswith(b"\r\n")
    body = stuffed.removesuffix(b"\r\n").split(b"\r\n")
    assert b"." not in body
    unstuffed = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in body) + b"\r\n"
    assert unstuffed == (data if data.endswith(b"\r\n") else data + b"\r\n")
