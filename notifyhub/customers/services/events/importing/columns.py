"""What each column of a file of events means: guessed from its name, or said by hand.

A mapping has one entry per column: a field of FIELDS, "property:<key>", or "" to leave the column out.
"""

import re
import unicodedata
from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.customers.services.importing.columns import MAX_COLUMNS

PROPERTY = "property:"

FIELDS = {
    "name": gettext_lazy("Event"),
    "occurred_at": gettext_lazy("Occurred at"),
    "external_id": gettext_lazy("Customer number"),
    "phone": gettext_lazy("Phone"),
    "email": gettext_lazy("Email"),
    "anonymous_id": gettext_lazy("Anonymous id"),
    "order_number": gettext_lazy("Order number"),
    "message_id": gettext_lazy("Message id"),
    "properties": gettext_lazy("Properties as JSON"),
}
WHO = ("external_id", "phone", "email", "anonymous_id")

_SYNONYMS = {
    "name": "event eventname name type eventtype action 事件 事件名 事件名称 事件类型 行为 动作",
    "occurred_at": "occurredat occurred timestamp time eventtime datetime date at createdat 时间 发生时间 "
    "事件时间 日期 发生日期",
    "external_id": "externalid customerid customernumber customerno memberid userid uid 客户号 客户编号 "
    "客户id 会员号 会员编号 会员id 用户id 用户编号",
    "phone": "phone mobile tel telephone phonenumber mobilenumber 手机 手机号 手机号码 电话 联系电话",
    "email": "email mail emailaddress 邮箱 电子邮箱 邮件 电子邮件",
    "anonymous_id": "anonymousid deviceid visitorid 匿名id 设备id 访客id",
    "order_number": "ordernumber orderno orderid order bookingnumber 订单号 订单编号 单号 订单 预订号",
    "message_id": "messageid eventid id uuid insertid 消息id 事件id 事件编号 流水号",
    "properties": "properties props payload data attributes 属性 参数 数据",
}
_MEANING = {word: field for field, words in _SYNONYMS.items() for word in words.split()}
_DECORATION = re.compile(r"\(.*?\)|\[.*?\]|【.*?】|[\s_\-*:./]+")
_OWN = re.compile(r"^(?:propert(?:y|ies)|props?|属性)[.:：]\s*(.+)$", re.IGNORECASE)
_KEY = re.compile(r"[^\w\-]+")


def meaning_of(header: str) -> str:
    """Return the field or "property:<key>" that a column of this name means."""
    text = unicodedata.normalize("NFKC", header).strip().lstrip("\ufeff")
    own = _OWN.match(text)
    if own:
        return PROPERTY + own[1].strip()[:80]
    known = _MEANING.get(_DECORATION.sub("", text.lower()))
    if known:
        return known
    key = _KEY.sub("_", text).strip("_").lower()[:80]
    return PROPERTY + key if key else ""


def guess_mapping(header: Sequence[str]) -> list[str]:
    """Return the mapping of a header; of two columns with one meaning, the first one has it."""
    taken: set[str] = set()
    mapping = []
    for name in header:
        meaning = meaning_of(name)
        mapping.append("" if meaning in taken else meaning)
        taken.add(meaning)
    return mapping


def check_mapping(header: Sequence[str], mapping: Sequence[str]) -> list[str]:
    """Return the mapping if events can be made of it; raise Refused otherwise."""
    if len(header) > MAX_COLUMNS:
        raise Refused(_("The file has more than %d columns.") % MAX_COLUMNS, field="file")
    if len(mapping) != len(header):
        raise Refused(_("The columns of the file have changed. Upload it again."), field="map")
    used = [field for field in mapping if field]
    for field in used:
        key = field.removeprefix(PROPERTY)
        if field not in FIELDS and not (field.startswith(PROPERTY) and 0 < len(key) <= 80):
            raise Refused(_("Unknown field: %s") % field, field="map")
        if used.count(field) > 1:
            raise Refused(
                _("Two columns are mapped to “%s”. Choose one of them.") % label_of(field), field="map"
            )
    for needed in ("name", "occurred_at"):
        if needed not in used:
            raise Refused(_("Map one column to “%s”.") % label_of(needed), field="map")
    if not set(used) & set(WHO):
        raise Refused(
            _("Map at least one column to customer number, phone or email: without it nobody is found."),
            field="map",
        )
    return list(mapping)


def label_of(field: str) -> str:
    """Return how people read a field."""
    if field.startswith(PROPERTY):
        return _("Property: %s") % field.removeprefix(PROPERTY)
    key = field.removeprefix("properties.")
    return str(FIELDS.get(field, key))
