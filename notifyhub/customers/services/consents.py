"""Recording what customers allow."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Channel, Consent, ConsentRecord, Customer, Decision, Topic
from notifyhub.staff.context import current_actor
from notifyhub.staff.services import audit

# The latest word counts; of two at the same moment the stricter one.
UPSERT = """
INSERT INTO customers_consent AS c (customer_id, topic_id, channel, decision, given_at)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (customer_id, topic_id, channel) DO UPDATE
SET decision = EXCLUDED.decision, given_at = EXCLUDED.given_at
WHERE EXCLUDED.given_at > c.given_at OR (EXCLUDED.given_at = c.given_at AND EXCLUDED.decision = 'out')
"""


@dataclass(frozen=True, kw_only=True)
class Word:
    """One decision and when it was given."""

    decision: str
    given_at: datetime


def stricter(first: Word, second: Word) -> Word:
    """Return the word that counts when two customers prove to be one: any opt-out beats any opt-in.

    Of two alike the later one; so the answer does not depend on the order, nor on how often one asks.
    """
    return max(first, second, key=lambda word: (word.decision == Decision.OPT_OUT, word.given_at))


@transaction.atomic
def record_consent(
    *,
    customer_id: int,
    topic: Topic,
    channel: str,
    decision: str,
    source: str,
    given_at: datetime | None = None,
    wording: str = "",
    policy_version: str = "",
    proof: str = "",
) -> Consent:
    """Append one record and return the state it leaves; an older word than the present one changes nothing.

    Raises Refused for an unknown channel or decision, a missing source, a time to come, or a customer who
    was erased or merged.
    """
    now = timezone.now()
    given_at = given_at or now
    if channel not in Channel.values:
        raise Refused(_("Choose a channel."), field="channel")
    if decision not in Decision.values:
        raise Refused(_("Choose opted in or opted out."), field="decision")
    if not source.strip():
        raise Refused(_("Say where the customer told this."), field="source")
    # A minute of grace for clocks that differ.
    if given_at > now + timedelta(minutes=1):
        raise Refused(_("The time of the decision lies in the future."), field="given_at")
    if not Customer.objects.filter(pk=customer_id, state=Customer.State.ACTIVE).exists():
        raise Refused(_("This customer was erased or merged; nothing can be recorded for them."))
    ConsentRecord.objects.create(
        customer_id=customer_id,
        topic=topic,
        channel=channel,
        decision=decision,
        given_at=given_at,
        source=source.strip()[:40],
        wording=wording,
        policy_version=policy_version[:40],
        proof=proof[:200],
        recorded_by=current_actor().name[:120],
    )
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, [customer_id, topic.pk, channel, decision, given_at])
    audit.record(
        verb="record_consent",
        object_type="customers.customer",
        object_id=customer_id,
        label=f"#{customer_id}",
        topic=topic.code,
        channel=channel,
        decision=decision,
        source=source.strip()[:40],
    )
    return Consent.objects.get(customer_id=customer_id, topic=topic, channel=channel)
