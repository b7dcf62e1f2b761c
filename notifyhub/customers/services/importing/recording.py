"""What a chunk writes beside its customers: consents, who was seen, problems, and how far it came."""

from collections.abc import Mapping, Sequence

from django.db import connection
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg.types.json import Jsonb

from notifyhub.core.errors import Refused
from notifyhub.customers.models import CustomerImport, Segment, SegmentMember, Topic
from notifyhub.customers.services.importing.plans import ConsentPlan
from notifyhub.customers.services.upsert import RowProblem
from notifyhub.customers.services.upsert.staging import Source, copy_rows

# A later statement of the customer stands against the file's; of two at the same moment the opt-out.
CONSENTS = """
WITH wanted AS (
    SELECT i.customer_id, g.topic_id, g.channel FROM {people} i
    CROSS JOIN unnest(%s::bigint[], %s::text[]) AS g (topic_id, channel)
), changed AS (
    INSERT INTO customers_consent AS now (customer_id, topic_id, channel, decision, given_at)
    SELECT customer_id, topic_id, channel, %s, %s FROM wanted
    ON CONFLICT (customer_id, topic_id, channel)
    DO UPDATE SET decision = excluded.decision, given_at = excluded.given_at
    WHERE now.given_at < excluded.given_at
        OR (now.given_at = excluded.given_at AND now.decision = 'in' AND excluded.decision = 'out')
    RETURNING customer_id, topic_id, channel, decision, given_at
)
INSERT INTO customers_consentrecord (
    customer_id, topic_id, channel, decision, given_at, source, policy_version, wording, proof,
    recorded_at, recorded_by)
SELECT customer_id, topic_id, channel, decision, given_at, %s, %s, %s, %s, now(), %s FROM changed
"""

OPT_OUTS_KEPT = """
SELECT count(*) FROM {people} i
JOIN customers_consent k ON k.customer_id = i.customer_id AND k.decision = 'out'
JOIN unnest(%s::bigint[], %s::text[]) AS g (topic_id, channel)
    ON g.topic_id = k.topic_id AND g.channel = k.channel
"""

# Who came in earlier chunks of this run, with the line; returned for those who come again.
SEEN = """
WITH before AS (
    SELECT s.customer_id, s.line FROM customers_importseen s
    JOIN {people} i ON i.customer_id = s.customer_id WHERE s.run_id = %s
), noted AS (
    INSERT INTO customers_importseen (run_id, customer_id, line)
    SELECT %s, customer_id, line FROM {people} i
    ON CONFLICT (run_id, customer_id) DO UPDATE SET line = excluded.line
)
SELECT before.line, i.line FROM before JOIN {people} i ON i.customer_id = before.customer_id
"""

MEMBERS = """
INSERT INTO customers_segmentmember (segment_id, customer_id)
SELECT %s, customer_id FROM {people} i ON CONFLICT (segment_id, customer_id) DO NOTHING
"""

_PROBLEM_COLUMNS = (
    ("run_id", "bigint"),
    ("line", "bigint"),
    ("column", "varchar"),
    ("value", "varchar"),
    ("code", "varchar"),
    ("params", "jsonb"),
)


def record_consents(*, people: Source, consent: ConsentPlan, by: str) -> tuple[int, int]:
    """Record the file's consent for `people`; return how many were recorded and how many opt-outs stayed."""
    ids = dict(Topic.objects.values_list("code", "id"))
    topics = [ids[code] for code, _channel in consent.grants]
    channels = [channel for _code, channel in consent.grants]
    proof = [consent.source, consent.policy_version, consent.wording, consent.proof, by[:120]]
    with connection.cursor() as cursor:
        cursor.execute(
            CONSENTS.format(people=people.sql),
            [*people.params, topics, channels, consent.decision, consent.moment, *proof],
        )
        recorded = cursor.rowcount
        if consent.decision == "out":
            return recorded, 0
        cursor.execute(OPT_OUTS_KEPT.format(people=people.sql), [*people.params, topics, channels])
        return recorded, cursor.fetchone()[0]


def note_seen(*, run_id: int, people: Source) -> list[tuple[int, int]]:
    """Remember who came in this chunk; return (earlier line, line) for those who came before."""
    params = [*people.params, run_id, run_id, *people.params, *people.params]
    with connection.cursor() as cursor:
        cursor.execute(SEEN.format(people=people.sql), params)
        return cursor.fetchall()


def put_on_list(*, list_id: int, people: Source) -> None:
    """Make `people` members of a static list."""
    with connection.cursor() as cursor:
        cursor.execute(MEMBERS.format(people=people.sql), [list_id, *people.params])


def count_list(*, list_id: int) -> None:
    """Write how many members a list has now."""
    members = SegmentMember.objects.filter(segment_id=list_id).count()
    Segment.objects.filter(pk=list_id).update(count=members, counted_at=timezone.now())


def forget_seen(*, run_id: int) -> None:
    """Drop the memory of a finished run."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM customers_importseen WHERE run_id = %s", [run_id])


def keep_problems(*, run_id: int, problems: Sequence[RowProblem]) -> None:
    """Write the problems of a chunk."""
    if problems:
        with connection.cursor() as cursor:
            copy_rows(
                cursor,
                "customers_importproblem",
                _PROBLEM_COLUMNS,
                ((run_id, p.line, p.column[:120], p.value[:60], p.code, Jsonb(p.params)) for p in problems),
            )


def move_cursor(*, run: CustomerImport, read: int, counts: Mapping[str, int]) -> None:
    """Count a chunk and move on; raise Refused if another process moved first.

    In the chunk's transaction: the fence that lets only one of two processes write each chunk.
    """
    moved = CustomerImport.objects.filter(
        pk=run.pk, cursor=run.cursor, state=CustomerImport.State.RUNNING
    ).update(cursor=run.cursor + read, **{name: F(name) + number for name, number in counts.items()})
    if not moved:
        raise Refused(_("Another process imports this file already."))
