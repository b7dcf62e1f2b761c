"""Mail as an ordinary Django project sends it: rows of its own, Django templates, EmailMultiAlternatives."""

import time
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template import Context, Template
from django.utils import timezone

from bench.models import QueuedMail
from bench.sample import Mail, headers_of

BATCH = 500


@lru_cache(maxsize=8)
def _compiled(source: str) -> Template:
    return Template(source)


def enqueue(mail: Mail, count: int) -> list[QueuedMail]:
    """Write the rows of so many mails; return them."""
    rows = [
        QueuedMail(to=f"customer{n}@mail.example", name=f"客户{n}", city="上海", link=f"{mail.link}{n}")
        for n in range(count)
    ]
    return QueuedMail.objects.bulk_create(rows, batch_size=BATCH)


def build(row: QueuedMail, mail: Mail, connection: Any = None) -> EmailMultiAlternatives:
    """Return the message of a row."""
    context = Context({"customer": {"name": row.name, "city": row.city}, "link": row.link})
    message = EmailMultiAlternatives(
        subject=_compiled(mail.subject).render(context),
        body=_compiled(mail.text).render(context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[row.to],
        headers=headers_of(row.link),
        connection=connection,
    )
    message.attach_alternative(_compiled(mail.html).render(context), "text/html")
    return message


def send_messages(mail: Mail, count: int) -> float:
    """Send by `send_messages` of 500 over one connection and `bulk_update`; return messages a second."""
    began = time.perf_counter()
    enqueue(mail, count)
    connection = get_connection()
    connection.open()
    sent = 0
    while True:
        rows = list(QueuedMail.objects.filter(state="queued").order_by("pk")[:BATCH])
        if not rows:
            break
        sent += connection.send_messages([build(row, mail, connection) for row in rows]) or 0
        now = timezone.now()
        for row in rows:
            row.state, row.sent_at = "sent", now
        QueuedMail.objects.bulk_update(rows, ["state", "sent_at"])
    connection.close()
    assert sent == count, f"{sent} of {count} mails were sent"
    return count / (time.perf_counter() - began)
