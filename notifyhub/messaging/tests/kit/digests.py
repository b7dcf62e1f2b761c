"""Short ways to have messages gathered."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import F

from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Delivery, DigestItem, Dispatch, Template, TemplateVersion
from notifyhub.messaging.services.dispatches import Item, create_dispatch
from notifyhub.messaging.services.templates import create_template, publish, save_content, update_template

ALONE = {"subject": "Order {{ order.number }}", "body": "<p>Order {{ order.number }} is on its way</p>"}
SEVERAL = "<ul>{% for item in items %}<li>{{ item.order.number }}</li>{% endfor %}</ul>"


def gathering_version(
    *, every: str = "day", message_class: str = "informational", **changes: Any
) -> TemplateVersion:
    """Return a published version whose messages are gathered, with a digest text for mail."""
    topic = make_topic(f"{message_class}-topic", message_class)
    number = Template.objects.count()
    template = create_template(
        name=f"Parcels {number}",
        key=f"parcels-{number}",
        message_class=message_class,
        topic=topic,
        channel="email",
        language="zh-hans",
    )
    update_template(template_id=template.pk, changes={"gather": every, **changes}, version=None)
    save_content(
        template_id=template.pk,
        channel="email",
        language="zh-hans",
        version=1,
        digest_subject="{{ count }} parcels",
        digest_body=SEVERAL,
        **ALONE,
    )
    return publish(template_id=template.pk)


def tell(
    version: TemplateVersion, customers: Sequence[Customer], numbers: Sequence[str], **fields: Any
) -> Dispatch:
    """Accept and plan one message about each number, to the customer at the same place."""
    facts: dict[str, Any] = {
        "title": "Parcel",
        "origin_kind": "test",
        "message_class": version.template.message_class,
        "template_version": version,
        "chain": [{"channel": "email"}],
        "audience": {"kind": "items"},
        "items": [
            Item(
                item=place,
                customer_id=customer.pk,
                subject_ref=f"order:{number}",
                variables={"order": {"number": number}},
            )
            for place, (customer, number) in enumerate(zip(customers, numbers, strict=True))
        ],
    }
    dispatch = create_dispatch(**{**facts, **fields})
    plan_dispatch(dispatch_id=dispatch.pk)
    dispatch.refresh_from_db()
    return dispatch


def come_due() -> int:
    """Let the time come for everything that waits; return how many that is."""
    rows = DigestItem.objects.filter(state=DigestItem.State.WAITING)
    return rows.update(closes_at=F("closes_at") - timedelta(days=14))


def digests() -> list[Dispatch]:
    """Return the dispatches that are digests, the first first."""
    return list(Dispatch.objects.filter(origin_kind="digest").order_by("pk"))


def plan_digests() -> list[Delivery]:
    """Plan the digests there are; return their messages."""
    for dispatch in digests():
        plan_dispatch(dispatch_id=dispatch.pk)
    rows = Delivery.objects.filter(dispatch_id__in=[one.pk for one in digests()])
    return list(rows.order_by("dispatch_id", "id"))
