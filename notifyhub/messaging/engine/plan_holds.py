"""The joins of the planning statement that find whom a hold stops."""

from notifyhub.messaging.models import Delivery

IN_FORCE = "h.released_at IS NULL AND (h.ends_at IS NULL OR h.ends_at > statement_timestamp())"
_ABOUT = "AND {holder}.scope_value = p.subject_ref AND p.subject_ref <> ''"


def hold_joins(
    *, promotional: bool, channel: str, about_a_subject: bool, among: str | None
) -> tuple[list[str], list[str]]:
    """Return the joins and the cases of the holds that count; `among` says whose holds, where people are a
    range of ids, and is None where they are named one by one."""
    joins: list[str] = []
    if promotional:
        covering = (
            "(h.scope = 'promotions' OR (h.scope = 'topic' AND h.scope_value = %(topic_code)s) "
            f"OR (h.scope = 'channel' AND h.scope_value = '{channel}'))"
        )
        joins.append(_join("hp", covering, among=among, subject=False))
    if about_a_subject:
        joins.append(_join("hs", "h.scope = 'subject'", among=among, subject=True))
    found = [*(["hp"] if promotional else []), *(["hs"] if about_a_subject else [])]
    return joins, [f"WHEN {alias}.customer_id IS NOT NULL THEN '{Delivery.Reason.HOLD}'" for alias in found]


def _join(alias: str, covering: str, *, among: str | None, subject: bool) -> str:
    if among is None:
        # How many are named the database cannot know. It takes them for one, and would go through all holds
        # for each of ten thousand; a look-up with a limit can only be done by the index.
        about = _ABOUT.format(holder="h") if subject else ""
        return (
            f"LEFT JOIN LATERAL (SELECT h.customer_id FROM customers_hold h WHERE {IN_FORCE} AND {covering} "
            f"AND h.customer_id = p.customer_id {about} LIMIT 1) {alias} ON TRUE"
        )
    about = _ABOUT.format(holder=alias) if subject else ""
    more = ", h.scope_value" if subject else ""
    return (
        f"LEFT JOIN (SELECT DISTINCT h.customer_id{more} FROM customers_hold h WHERE {IN_FORCE} "
        f"AND {covering} {among}) {alias} ON {alias}.customer_id = p.customer_id {about}"
    )
