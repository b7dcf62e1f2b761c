"""The category tree and the time limits: what a fresh house starts with, and their upkeep."""

from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from feedback.models import Category, SlaPolicy
from feedback.services import clocks
from notifyhub.core.errors import Conflict, Refused
from notifyhub.staff.services import audit

FIRST_LEVEL = (
    ("food-safety", "Food safety", "食品安全", "health_and_safety", "S2"),
    ("delivery", "Delivery", "配送", "moped", "S3"),
    ("merchant", "Merchant", "商家", "storefront", "S3"),
    ("hotel", "Hotel stay", "酒店到店", "hotel", "S3"),
    ("refund", "Refund", "退款", "payments", "S3"),
    ("coupon", "Coupon", "优惠券", "confirmation_number", "S4"),
    ("message", "Messages from us", "通知", "notifications_off", "S3"),
    ("other", "Other", "其他", "more_horiz", "S4"),
)
SECOND_LEVEL = {
    "food-safety": (
        ("foreign-object", "Foreign object", "异物"),
        ("spoiled", "Spoiled food", "变质"),
        ("illness", "Illness after eating", "食后不适"),
    ),
    "delivery": (
        ("late", "Late", "超时"),
        ("damaged", "Damaged or spilled", "撒漏"),
        ("rider", "Rider's conduct", "骑手态度"),
        ("not-delivered", "Not delivered", "没有送到"),
    ),
    "merchant": (
        ("missing-items", "Missing items", "少送"),
        ("wrong-items", "Wrong items", "送错"),
        ("quality", "Quality", "品质"),
    ),
    "hotel": (
        ("no-room", "No room on arrival", "到店无房"),
        ("not-as-described", "Not as described", "与描述不符"),
        ("cancellation", "Cancellation", "取消"),
    ),
    "refund": (
        ("not-received", "Not received", "未到账"),
        ("amount", "Wrong amount", "金额不符"),
        ("charged-twice", "Charged twice", "重复扣款"),
    ),
    "coupon": (("not-usable", "Cannot be used", "不能用"), ("expired", "Expired early", "提前过期")),
    "message": (
        ("message-not-received", "Not received", "没有收到"),
        ("message-late", "Late", "晚到"),
        ("message-twice", "Twice", "重复"),
        ("message-wrong", "Wrong content", "内容不对"),
        ("too-many", "Too many", "太多打扰"),
    ),
}
EDITABLE = ("name", "name_zh", "icon", "digit", "severity", "team", "position", "active")


def ensure_categories() -> int:
    """Create the categories of a fresh house; return how many. A tree that exists is left as it is."""
    if Category.objects.exists():
        return 0
    made = 0
    for digit, (code, name, name_zh, icon, severity) in enumerate(FIRST_LEVEL, start=1):
        parent = Category.objects.create(
            code=code, name=name, name_zh=name_zh, icon=icon, severity=severity, digit=digit, position=digit
        )
        rows = [
            Category(
                parent=parent,
                level=2,
                code=leaf,
                name=leaf_name,
                name_zh=leaf_zh,
                icon=icon,
                severity=severity,
                position=place,
            )
            for place, (leaf, leaf_name, leaf_zh) in enumerate(SECOND_LEVEL.get(code, ()), start=1)
        ]
        made += 1 + len(Category.objects.bulk_create(rows))
    return made


def ensure_after_migrate(**kwargs: Any) -> None:
    """Receiver of post_migrate: a house without categories cannot log a case."""
    tables = connection.introspection.table_names()
    if Category._meta.db_table not in tables or SlaPolicy._meta.db_table not in tables:
        # Only another app was migrated, or this one back to nothing.
        return
    ensure_categories()
    clocks.ensure_policies()


@transaction.atomic
def create_category(*, code: str, parent: Category | None = None, **fields: Any) -> Category:
    """Add a branch or a leaf and return it; raise Refused below the third level or for a digit in use."""
    level = parent.level + 1 if parent else 1
    _refuse_place(level, fields.get("digit"))
    try:
        with transaction.atomic():
            category = Category.objects.create(code=code, parent=parent, level=level, **fields)
    except IntegrityError as error:
        raise _taken() from error
    audit.record(verb="create_category", obj=category, label=code)
    return category


@transaction.atomic
def update_category(*, category_id: int, changes: dict[str, Any], version: int | None) -> None:
    """Change a category if it still has `version`; raise Conflict otherwise. Cases keep what they have."""
    level = Category.objects.values_list("level", flat=True).get(pk=category_id)
    changes = {name: value for name, value in changes.items() if name in EDITABLE}
    _refuse_place(level, changes.get("digit"))
    rows = Category.objects.filter(pk=category_id)
    if version is not None:
        rows = rows.filter(version=version)
    try:
        with transaction.atomic():
            moved = rows.update(**changes, version=F("version") + 1)
    except IntegrityError as error:
        raise _taken() from error
    _finish(moved, "update_category", Category, category_id, changes)


def _refuse_place(level: int, digit: int | None) -> None:
    if level > Category.MAX_LEVEL:
        raise Refused(_("The tree has three levels. Choose a parent further up."), field="parent")
    if digit is not None and (level != 1 or not 1 <= digit <= 8):
        raise Refused(_("Digits 1 to 8 belong to categories of the first level."), field="digit")


def _taken() -> Refused:
    return Refused(_("Another category has this code or this digit already."), field="digit")


@transaction.atomic
def update_policy(*, policy_id: int, changes: dict[str, Any], version: int | None) -> None:
    """Change time limits for cases opened from now on; clocks that run keep theirs. Raises Conflict."""
    allowed = ("ack_minutes", "first_reply_minutes", "resolve_minutes", "reopened_resolve_minutes")
    changes = {name: value for name, value in changes.items() if name in allowed}
    for name, value in changes.items():
        if not value or value <= 0:
            raise Refused(_("Choose at least one minute."), field=name)
    rows = SlaPolicy.objects.filter(pk=policy_id)
    if version is not None:
        rows = rows.filter(version=version)
    moved = rows.update(**changes, version=F("version") + 1)
    _finish(moved, "update_time_limit", SlaPolicy, policy_id, changes)


def _finish(moved: int, verb: str, model: Any, pk: int, changes: dict[str, Any]) -> None:
    if not moved:
        raise Conflict(_("Somebody changed this meanwhile. Your entries are kept; compare and save again."))
    audit.record(
        verb=verb, obj=model.objects.get(pk=pk), **{name: str(value) for name, value in changes.items()}
    )
