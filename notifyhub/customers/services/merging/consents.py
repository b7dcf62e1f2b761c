"""Consents across a merge and back: the stricter word counts, and nothing that was said is forgotten."""

from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from notifyhub.customers.models import Consent, ConsentRecord, Decision
from notifyhub.customers.services.consents import Word, stricter
from notifyhub.staff.context import current_actor

Key = tuple[int, str]


def words_of(customer_id: int) -> dict[Key, Word]:
    """Return what the customer said last, by (topic, channel)."""
    rows = Consent.objects.filter(customer_id=customer_id)
    return {(row.topic_id, row.channel): Word(decision=row.decision, given_at=row.given_at) for row in rows}


def combine(first: dict[Key, Word], second: dict[Key, Word]) -> dict[Key, Word]:
    """Return the words of two customers as of one person."""
    return {
        key: stricter(first.get(key) or second[key], second.get(key) or first[key])
        for key in first.keys() | second.keys()
    }


def take_over(*, kept_id: int, merged_id: int, merge_id: int) -> list[Any]:
    """Write the combined consents to the kept customer; return what they were before, for the way back."""
    before, other = words_of(kept_id), words_of(merged_id)
    changed = {key: word for key, word in combine(before, other).items() if word != before.get(key)}
    write(kept_id, changed, proof=_("Merge %d") % merge_id)
    return [
        [topic, channel, _dump(before.get((topic, channel))), _dump(word)]
        for (topic, channel), word in changed.items()
    ]


def give_back(*, kept_id: int, merged_id: int, merge_id: int, moved: list[Any]) -> None:
    """Restore the kept customer's words, unless there is a newer one; that one then holds for both.

    Nobody can tell which of the two persons spoke after the merge, so an opt-out counts for each.
    """
    now, other = words_of(kept_id), words_of(merged_id)
    taken = {(topic, channel): (_load(old), _load(new)) for topic, channel, old, new in moved}
    back = {key: old for key, (old, new) in taken.items() if now.get(key) == new}
    proof = _("Merge %d undone") % merge_id
    write(kept_id, {key: word for key, word in back.items() if word}, proof=proof)
    for topic, channel in (key for key, word in back.items() if word is None):
        Consent.objects.filter(customer_id=kept_id, topic_id=topic, channel=channel).delete()
    newer = {key: word for key, word in now.items() if key not in back and word.decision == Decision.OPT_OUT}
    write(
        merged_id,
        {key: word for key, word in newer.items() if stricter(other.get(key, word), word) != other.get(key)},
        proof=proof,
    )


def write(customer_id: int, words: dict[Key, Word], *, proof: str) -> None:
    """Append one record each and make these words the present ones."""
    facts = [
        {
            "customer_id": customer_id,
            "topic_id": topic,
            "channel": channel,
            "decision": word.decision,
            "given_at": word.given_at,
        }
        for (topic, channel), word in words.items()
    ]
    actor = current_actor().name[:120]
    ConsentRecord.objects.bulk_create(
        [ConsentRecord(**fact, source="merge", proof=proof, recorded_by=actor) for fact in facts]
    )
    Consent.objects.bulk_create(
        [Consent(**fact) for fact in facts],
        update_conflicts=True,
        unique_fields=["customer", "topic", "channel"],
        update_fields=["decision", "given_at"],
    )


def _dump(word: Word | None) -> list[str] | None:
    return [word.decision, word.given_at.isoformat()] if word else None


def _load(stored: list[str] | None) -> Word | None:
    if stored is None:
        return None
    moment = parse_datetime(stored[1])
    assert moment is not None
    return Word(decision=stored[0], given_at=moment)
