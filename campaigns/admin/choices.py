"""What the tabs offer to choose from."""

from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Prefetch

from notifyhub.customers.models import Segment
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.looks import CHANNEL_ICONS
from notifyhub.messaging.models import Content, Template, TemplateVersion

# Counting each city or tag reads the whole table, so the offer is up to five minutes old.
KEPT_SECONDS = 300
OFFERED = 120

CITIES = """
    SELECT city, count(*) FROM customers_customer WHERE state = 'active' AND city <> ''
    GROUP BY city ORDER BY 2 DESC, 1 LIMIT %s
"""
TAGS = """
    SELECT tag, count(*) FROM customers_customer, unnest(tags) AS tag WHERE state = 'active'
    GROUP BY tag ORDER BY 2 DESC, 1 LIMIT %s
"""


def _offered(name: str, sql: str) -> list[tuple[str, int]]:
    key = f"campaigns.offered.{name}"
    found = cache.get(key)
    if found is None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [OFFERED])
            found = cursor.fetchall()
        if found:
            cache.set(key, found, KEPT_SECONDS)
    return found


def offered_cities() -> list[tuple[str, int]]:
    """Return the largest cities with how many active customers live there."""
    return _offered("cities", CITIES)


def offered_tags() -> list[tuple[str, int]]:
    """Return the commonest tags with how many active customers carry them."""
    return _offered("tags", TAGS)


def audience_choices(form: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return what each kind of audience offers; what is chosen but no longer offered stays visible."""
    chosen = set(form["values"])

    def rows(kind: str, offered: list[tuple[Any, Any, int | None]]) -> list[dict[str, Any]]:
        mine = chosen if form["kind"] == kind else set()
        known = {str(value) for value, _label, _count in offered}
        extra = [(value, value, None) for value in sorted(mine - known)] if kind != "segment" else []
        return [
            {"value": str(value), "label": label, "count": count, "chosen": str(value) in mine}
            for value, label, count in [*offered, *extra]
        ]

    saved = Segment.objects.filter(archived_at=None).values_list("pk", "name", "count")[:OFFERED]
    return {
        "city": rows("city", [(name, name, count) for name, count in offered_cities()]),
        "tag": rows("tag", [(name, name, count) for name, count in offered_tags()]),
        "segment": rows("segment", list(saved)),
    }


def template_choices(*, chosen: int | None) -> list[dict[str, Any]]:
    """Return the templates a campaign may use: their published version, the channels it has text for."""
    contents = Prefetch("contents", queryset=Content.objects.only("template_version", "channel", "language"))
    published = TemplateVersion.objects.filter(state=TemplateVersion.State.PUBLISHED).prefetch_related(
        contents
    )
    templates = (
        Template.objects.filter(archived_at=None)
        .exclude(message_class=MessageClass.TRANSACTIONAL)
        .select_related("topic")
        .prefetch_related(Prefetch("versions", queryset=published, to_attr="published"))
        .order_by("name")[:OFFERED]
    )
    labels = dict(Channel.choices)
    rows = []
    for template in templates:
        version = next(iter(template.published), None)
        texts = list(version.contents.all()) if version else []
        channels = dict.fromkeys(str(labels[text.channel]) for text in texts)
        rows.append(
            {
                "template": template,
                "version": version,
                "channels": list(channels),
                "chosen": template.pk == chosen,
            }
        )
    # What can be sent comes first; what is not published stays visible, with the reason.
    return sorted(rows, key=lambda row: (row["version"] is None, not row["chosen"]))


def channel_rows(written: tuple[str, ...], steps: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return the channels of the template with their waits, those in use first and in their order."""
    labels = dict(Channel.choices)
    used = {step["channel"]: step for step in steps if step["channel"] in labels}
    order = [*used, *(name for name in written if name not in used)]
    return [
        {
            "value": name,
            "label": labels[name],
            "icon": CHANNEL_ICONS[Channel(name)],
            "used": name in used,
            "written": name in written,
            "step": used.get(name, {"amount": "", "unit": "hours", "until": "delivered"}),
        }
        for name in order
    ]
