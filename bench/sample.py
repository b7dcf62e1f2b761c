"""Our own mail, taken from the wire, as the template that the baselines fill in: the same message for all."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One of our messages as it came over the wire, and its parts with places to fill in."""

    wire: bytes
    subject: str
    text: str
    html: str
    link: str

    @property
    def size(self) -> int:
        """Return its length in bytes."""
        return len(self.wire)


def read_mail(wire: bytes, *, name: str, city: str) -> Mail:
    """Return the mail taken apart; `name` and `city` are those of the customer who got it."""
    raw = wire.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    message: Any = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    link = str(message["List-Unsubscribe"] or "").strip("<>")

    def blank(text: str) -> str:
        assert "{{" not in text
        assert "{%" not in text
        text = text.replace(name, "{{ customer.name }}").replace(city, "{{ customer.city }}")
        return text.replace(link, "{{ link }}") if link else text

    mail = Mail(
        wire=wire,
        subject=blank(str(message["Subject"])),
        text=blank(str(plain.get_content())),
        html=blank(str(html.get_content())),
        link=link,
    )
    assert "customer.name" in mail.subject
    assert "customer.name" in mail.html
    return mail


def headers_of(link: str) -> dict[str, str]:
    """Return the headers that every contestant writes."""
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
