"""Sending a text to oneself before anybody else gets it."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.models.consent import CONTACT_KIND, Channel, MessageClass
from notifyhub.customers.services.contacts import contact_row, read_contact
from notifyhub.customers.services.customers import create_customer
from notifyhub.messaging.models import Content, Dispatch, Template
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import Item, create_dispatch
from notifyhub.messaging.services.previews import preview_content
from notifyhub.staff.models import User

ORIGIN = "test"
# Other channels have no address that one could type.
CHANNELS = (Channel.EMAIL, Channel.SMS)


def _oneself(*, user: User, kind: str, raw: str) -> ContactPoint:
    """Return the contact point of the provisional customer that stands for a member of staff."""
    value = read_contact(kind=kind, raw=raw)
    number = f"staff-{user.pk}"
    customer = Customer.objects.filter(external_id=number).first() or create_customer(
        external_id=number, name=_("Test · %s") % user, provisional=True
    )
    known = ContactPoint.objects.filter(customer=customer, kind=kind, value_hash=value.value_hash).first()
    if known is None:
        ContactPoint.objects.filter(customer=customer, kind=kind).update(primary=False)
        known = contact_row(value, customer_id=customer.pk)
        known.save(force_insert=True)
    return known


@transaction.atomic
def send_test(*, template: Template, content: Content, customer: Customer, to: str, user: User) -> Dispatch:
    """Send the text, filled in for `customer`, to the mailbox or phone `to`; return its dispatch.

    It is a message of its own, so it touches no cap, consent or count of the template. Raises Refused if the
    text cannot be filled in or `to` is not an address of the channel.
    """
    if content.channel not in CHANNELS:
        raise Refused(_("Only mail and SMS can be sent to an address you type."))
    kind = str(CONTACT_KIND[Channel(content.channel)])
    # The reader's own look at it; the text has to be complete, its checks need not be.
    preview = preview_content(content=content, template=template, customer=customer, signed=False)
    if preview.rendered is None:
        raise Refused(_("This text cannot be filled in: %s") % preview.error, field="body")
    contact = _oneself(user=user, kind=kind, raw=to)
    text: dict[str, Any] = {"subject": preview.rendered.subject, "body": preview.rendered.text}
    if preview.rendered.html:
        text["html"] = preview.rendered.html
    return create_dispatch(
        # The origin says in the reader's language that it was a test.
        title=template.name,
        origin_kind=ORIGIN,
        origin_id=str(template.pk),
        message_class=MessageClass.TRANSACTIONAL,
        chain=[{"channel": content.channel}],
        audience={"kind": "items"},
        items=[Item(item=1, customer_id=contact.customer_id, contact_id=contact.pk)],
        text=text,
        priority=Priority.REALTIME,
        owner=user,
        owner_team=template.owner_team,
        author=str(user),
    )
