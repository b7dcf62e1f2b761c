"""Mail as bytes: what we write is what the standard library reads."""

import base64
import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifyhub.messaging.channels.base import Attachment, Message, Sender
from notifyhub.messaging.channels.smtp.bodies import base64_lines
from notifyhub.messaging.channels.smtp.headers import MailError
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


def read(message: Message, *, sender_name: str = "觅食", eight_bit: bool = False) -> EmailMessage:
    raw = build_mail(message, sender_name=sender_name, sender="news@shop.example", eight_bit=eight_bit)
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


# Long lines, and texts for which quoted-printable is shorter.
texts = words | st.builds(lambda text, more: text + "a = b. " * more + text, words, st.integers(100, 200))


@given(text=texts, html=st.none() | texts, eight_bit=st.booleans())
def test_texts_arrive_as_they_were(text: str, html: str | None, eight_bit: bool) -> None:
    found = read(mail(text=text, html=html), eight_bit=eight_bit)

    def body(kind: str) -> str:
        part = found.get_body((kind,))
        assert part is not None
        return (part.get_payload(decode=True) or b"").decode()  # type: ignore[union-attr]

    def lines(value: str) -> str:
        return value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")

    # A mail of one part ends with the end of a line, whether its text does or not.
    assert body("plain") in (lines(text), lines(text) + "\r\n" if html is None else "")
    if html is not None:
        assert found.get_content_type() == "multipart/alternative"
        assert body("html") == lines(html)


@given(subject=words, name=words, text=texts, html=texts, eight_bit=st.booleans())
def test_no_line_is_too_long_and_no_text_becomes_a_header(
    subject: str, name: str, text: str, html: str, eight_bit: bool
) -> None:
    message = mail(subject=subject, to_name=name, text=text, html=html, sender=Sender(reply_to="a@b.example"))
    raw = build_mail(message, sender_name=name, sender="news@shop.example", eight_bit=eight_bit)
    assert raw.isascii() or eight_bit
    head = raw.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 120
    assert head.isascii()
    for line in raw.split(b"\r\n"):
        assert len(line) <= 998
        assert b"\0" not in line
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


@pytest.mark.parametrize(
    ("text", "eight_bit", "coding"),
    [
        ("Plain words", False, "7bit"),
        ("您好", True, "8bit"),
        ("您好", False, "base64"),
        ("a line of plain words " * 60, True, "quoted-printable"),
        ("您好" * 600, True, "base64"),
        ("nul \0 in it" + "a" * 40, True, "quoted-printable"),
    ],
)
def test_a_text_travels_in_the_shortest_coding_that_the_server_takes(
    text: str, eight_bit: bool, coding: str
) -> None:
    found = read(mail(text=text), eight_bit=eight_bit)
    assert found["Content-Transfer-Encoding"] == coding
    assert (found.get_payload(decode=True) or b"").decode().rstrip("\r\n") == text  # type: ignore[union-attr]


names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=90)


@example(name="<>", content=b"", html=None)
@given(name=names, content=st.binary(max_size=300), html=st.none() | words)
def test_attachments_arrive_as_they_were(name: str, content: bytes, html: str | None) -> None:
    files = (
        Attachment(name=name, content_type="Application/PDF", content=content),
        Attachment(name="合同 二.txt", content_type="text/plain", content="您好".encode()),
    )
    found = read(mail(text="Hello", html=html, attachments=files))
    assert found.get_content_type() == "multipart/mixed"
    first, second = found.iter_attachments()
    wanted = name.replace("\\", "/").rpartition("/")[2].strip() or "file"
    # Readers fold blanks of a plain name; nothing else may change. `get_filename` would take <> off its ends.
    named = first["Content-Disposition"].params["filename"]
    assert "".join(named.split()) == "".join(wanted.split())
    assert first.get_content_type() == "application/pdf"
    assert first.get_payload(decode=True) == content
    assert second.get_filename() == "合同 二.txt"
    plain = found.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().strip() == "Hello"


@pytest.mark.parametrize(
    "kind", ["", "x", "text/html\r\nX-Evil: 1", "multipart/mixed", "message/rfc822", "a/b; c=d"]
)
def test_an_odd_content_type_becomes_plain_bytes(kind: str) -> None:
    found = read(mail(attachments=(Attachment(name="a", content_type=kind, content=b"x"),)))
    (file,) = found.iter_attachments()
    assert file.get_content_type() == "application/octet-stream"
    assert "X-Evil" not in file


def test_a_boundary_in_the_text_ends_no_part() -> None:
    first = read(mail(text="a", html="b"))
    mark = f"--{first.get_boundary()}--"
    found = read(mail(text=f"{mark}\nmore", html=f"x\n{mark}\ny"))
    plain, html = found.get_body(("plain",)), found.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().split() == [mark, "more"]
    assert html.get_content().split() == ["x", mark, "y"]


@pytest.mark.parametrize("header", [("X-Bad: name", "x"), ("", "x"), ("X-Long", "x" * 2000)])
def test_a_header_that_cannot_be_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(MailError):
        build_mail(mail(headers=(header,)), sender_name="", sender="news@shop.example")


@given(content=st.binary(max_size=3000), times=st.sampled_from([1, 1, 60]))
def test_base64_comes_in_lines(content: bytes, times: int) -> None:
    lines = base64_lines(content * times).split(b"\r\n")
    assert all(len(line) == 76 for line in lines[:-1])
    assert base64.b64decode(b"".join(lines)) == content * times
