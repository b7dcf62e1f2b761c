"""The least valid rows of messaging."""

from itertools import count
from typing import Any

from django.utils import timezone

from notifyhub.customers.models import Topic
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch, Template, TemplateVersion
from notifyhub.messaging.services.templates import create_template, publish, save_content

_numbers = count(1)

TEXTS = {
    ("email", "en"): {"subject": "Hello {{ customer.name }}", "body": "<p>Dear {{ customer.name }}</p>"},
    ("email", "zh-hans"): {
        "subject": "{{ customer.name }}，您好",
        "body": "<p>{{ customer.name }}，您好</p>",
    },
    ("sms", "zh-hans"): {"body": "{{ customer.name }}，满120减30。拒收请回复R"},
    ("sms", "en"): {"body": "{{ customer.name }}, 30 off 120. Reply STOP"},
    ("push", "en"): {"subject": "For you", "body": "30 off 120"},
}


def make_template(
    *texts: tuple[str, str], message_class: str = "promotional", topic: Topic | None = None, **fields: Any
) -> Template:
    """Return a template with a draft that holds a good text per (channel, language)."""
    texts = texts or (("email", "en"),)
    n = next(_numbers)
    if topic is None and message_class != "transactional":
        topic = make_topic(f"{message_class}-topic", message_class)
    channel, language = texts[0]
    fields.setdefault("name", f"Template {n}")
    fields.setdefault("key", f"template-{n}")
    template = create_template(
        message_class=message_class, topic=topic, channel=channel, language=language, **fields
    )
    for one in texts:
        save_content(
            template_id=template.pk,
            channel=one[0],
            language=one[1],
            version=1 if one == texts[0] else 0,
            **TEXTS[one],
        )
    return template


def make_version(*texts: tuple[str, str], **fields: Any) -> TemplateVersion:
    """Return a published version."""
    return publish(template_id=make_template(*texts, **fields).pk)


def make_dispatch(
    *, version: TemplateVersion | None = None, text: str | None = None, **fields: Any
) -> Dispatch:
    """Return a dispatch row as planning leaves it; nothing is planned or sent."""
    defaults: dict[str, Any] = {
        "title": "Autumn hot pot",
        "origin_kind": "test",
        "message_class": "promotional",
        "chain": [{"channel": "email"}],
        "audience": {"kind": "items"},
        "state": Dispatch.State.RUNNING,
        "send_at": timezone.now(),
        "template_version": version,
        "text": text if text is not None or version else '{"subject": "Hi", "body": "Hello"}',
        "topic": version.template.topic if version else None,
    }
    return Dispatch.objects.create(**{**defaults, **fields})


def make_delivery(dispatch: Dispatch, customer_id: int, **fields: Any) -> Delivery:
    """Return a message of the ledger."""
    n = next(_numbers)
    defaults: dict[str, Any] = {
        "id": n,
        "dispatch_id": dispatch.pk,
        "customer_id": customer_id,
        "dedup_key": n,
        "channel": "email",
        "state": Delivery.State.SENT,
        "send_at": timezone.now(),
        "settled_at": timezone.now(),
    }
    return Delivery.objects.create(**{**defaults, **fields})


def make_event(delivery: Delivery, kind: str = "sent", **fields: Any) -> DeliveryEvent:
    """Return an event of a message."""
    return DeliveryEvent.objects.create(
        at=fields.pop("at", timezone.now()),
        dispatch_id=delivery.dispatch_id,
        delivery_id=delivery.pk,
        kind=kind,
        **fields,
    )
