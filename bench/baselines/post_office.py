"""django-post-office: its own templates, queue and sender, with its own default of a log row a message."""

import logging
import time
from collections.abc import Callable

from django.apps import apps
from django.conf import settings

from bench.sample import Mail, headers_of

MISSING = "django-post-office is not installed: pip install -r bench/requirements.txt"


def installed() -> bool:
    """Say whether there is something to measure."""
    return apps.is_installed("post_office")


def send(mail: Mail, count: int, *, processes: int = 1) -> float:
    """Queue and send so many mails; return messages a second, queueing included."""
    from post_office import mail as post_office
    from post_office.models import STATUS, Email, EmailTemplate

    logging.getLogger("post_office").setLevel(logging.WARNING)
    template, _made = EmailTemplate.objects.update_or_create(
        name="bench",
        language="",
        defaults={"subject": mail.subject, "content": mail.text, "html_content": mail.html},
    )
    began = time.perf_counter()
    for start in range(0, count, 500):
        post_office.send_many(
            [
                {
                    "recipients": [f"customer{n}@mail.example"],
                    "sender": settings.DEFAULT_FROM_EMAIL,
                    "template": template,
                    "context": {"customer": {"name": f"客户{n}", "city": "上海"}, "link": f"{mail.link}{n}"},
                    "headers": headers_of(f"{mail.link}{n}"),
                }
                for n in range(start, min(start + 500, count))
            ]
        )
    send_queued: Callable[..., tuple[int, int, int]] = post_office.send_queued
    sent = 0
    while True:
        done, failed, again = send_queued(processes=processes)
        assert not failed + again, f"{failed + again} mails failed"
        if not done:
            break
        sent += done
    took = time.perf_counter() - began
    assert sent == count, f"{sent} of {count} mails were sent"
    assert not Email.objects.exclude(status=STATUS.sent).exists()
    Email.objects.all().delete()
    return count / took
