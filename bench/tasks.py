"""The baseline's task: one per recipient, through the real broker."""

import json
import os
from functools import lru_cache
from pathlib import Path

from celery import shared_task
from django.utils import timezone

from bench.baselines.django_mail import build
from bench.models import QueuedMail
from bench.sample import Mail


@lru_cache(maxsize=1)
def _mail() -> Mail:
    found = json.loads(Path(os.environ["BENCH_MAIL"]).read_text(encoding="utf-8"))
    return Mail(wire=b"", **found)


@shared_task(name="bench.send_one")
def send_one(pk: int) -> None:
    """Load the row, render it, send it over a connection of its own, save the row."""
    row = QueuedMail.objects.get(pk=pk)
    build(row, _mail()).send()
    row.state, row.sent_at = "sent", timezone.now()
    row.save()
