"""What each column of a file means: guessed from its name, or said by hand.

A mapping is a list with one entry per column: a field of FIELDS, "attribute:<key>", or "" to leave the
column out.
"""

import re
import unicodedata
from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused

ATTRIBUTE = "attribute:"
MAX_COLUMNS = 200

FIELDS = {
    "public_id": gettext_lazy("NotifyHub id"),
    "external_id": gettext_lazy("Customer number"),
    "name": gettext_lazy("Name"),
    "phone": gettext_lazy("Phone"),
    "email": gettext_lazy("Email"),
    "city": gettext_lazy("City"),
    "tags": gettext_lazy("Tags"),
    "locale": gettext_lazy("Language"),
    "time_zone": gettext_lazy("Time zone"),
    "wechat": gettext_lazy("WeChat openid"),
    "wecom": gettext_lazy("WeCom id"),
    "dingtalk": gettext_lazy("DingTalk id"),
    "push": gettext_lazy("App push token"),
}
IDENTIFYING = ("public_id", "external_id", "phone", "email")

_SYNONYMS = {
    "public_id": "notifyhubid publicid notifyhub编号",
    "external_id": "externalid customerid customernumber customerno customercode memberid memberno userid "
    "uid id 客户号 客户编号 客户id 客户代码 会员号 会员编号 会员id 会员卡号 "
    "用户id 用户编号 编号 外部id 顾客编号",
    "name": "name fullname customername username displayname 姓名 名字 名称 客户姓名 客户名称 客户名 "
    "会员姓名 联系人 联系人姓名 称呼 用户名 顾客姓名",
    "phone": "phone mobile mobilephone cellphone cell tel telephone phonenumber mobilenumber mobileno "
    "phoneno contactphone contactnumber msisdn 手机号 手机 手机号码 电话 电话号码 联系电话 联系方式 "
    "移动电话 联系手机 会员手机 客户手机 注册手机 注册手机号",
    "email": "email emailaddress mail mailaddress 邮箱 电子邮箱 电子邮件 邮件 邮箱地址 电子邮件地址 邮件地址",
    "city": "city town cityname 城市 所在城市 所在地 市 常住城市 居住城市",
    "tags": "tags tag labels label 标签 客户标签 用户标签 会员标签",
    "locale": "language locale lang preferredlanguage 语言 首选语言 语种 偏好语言",
    "time_zone": "timezone tz 时区",
    "wechat": "wechat wechatopenid openid 微信 微信openid 微信id",
    "wecom": "wecom wecomid wecomuserid 企业微信 企业微信id",
    "dingtalk": "dingtalk dingtalkid dingtalkuserid 钉钉 钉钉id",
    "push": "push pushtoken apppushtoken devicetoken registrationid 推送令牌 app推送令牌 设备令牌",
    f"{ATTRIBUTE}birthday": "birthday birthdate dateofbirth dob 生日 出生日期 出生年月 出生年月日",
    f"{ATTRIBUTE}gender": "gender sex 性别",
    f"{ATTRIBUTE}level": "level memberlevel tier vip viplevel 等级 会员等级 级别 会员级别",
}
_MEANING = {word: field for field, words in _SYNONYMS.items() for word in words.split()}
_DECORATION = re.compile(r"\(.*?\)|\[.*?\]|【.*?】|[\s_\-*:./]+")
_OWN_ATTRIBUTE = re.compile(r"^(?:attributes?[.:]|attr[.:]|属性[.:：])\s*(.+)$", re.IGNORECASE)
_KEY = re.compile(r"[^\w\-]+")


def meaning_of(header: str) -> str:
    """Return the field or "attribute:<key>" that a column of this name means; unknown ones are attributes."""
    text = unicodedata.normalize("NFKC", header).strip().lstrip("\ufeff")
    # Our own export's column names are taken as they are, so that a key comes back letter by letter.
    own = _OWN_ATTRIBUTE.match(header.strip())
    if own:
        return ATTRIBUTE + own[1].strip()[:60]
    known = _MEANING.get(_DECORATION.sub("", text.lower()))
    if known:
        return known
    key = _KEY.sub("_", text).strip("_").lower()[:60]
    return ATTRIBUTE + key if key else ""


def guess_mapping(header: Sequence[str]) -> list[str]:
    """Return the mapping of a header; of two columns with one meaning, the first one has it."""
    taken: set[str] = set()
    mapping = []
    for name in header:
        meaning = meaning_of(name)
        mapping.append("" if meaning in taken else meaning)
        taken.add(meaning)
    return mapping


def map_by_hand(header: Sequence[str], mapping: list[str], choices: dict[str, str]) -> list[str]:
    """Return `mapping` with the columns in `choices` ({column name or "#3": field}) set by hand."""
    mapping = list(mapping)
    for column, field in choices.items():
        number = column[1:] if column.startswith("#") else ""
        places = [i for i, name in enumerate(header) if name == column]
        if number.isdigit() and 1 <= int(number) <= len(header):
            places = [int(number) - 1]
        if not places:
            raise Refused(_("There is no column “%s” in this file.") % column, field="map")
        field = "" if field in ("-", "ignore") else field
        for place, other in enumerate(mapping):
            if other == field:
                mapping[place] = ""
        mapping[places[0]] = field
    return mapping


def check_mapping(header: Sequence[str], mapping: Sequence[str]) -> list[str]:
    """Return the mapping if rows can be made of it; raise Refused otherwise."""
    if len(header) > MAX_COLUMNS:
        raise Refused(_("The file has more than %d columns.") % MAX_COLUMNS, field="file")
    if len(mapping) != len(header):
        raise Refused(_("The columns of the file have changed. Upload it again."), field="map")
    used = [field for field in mapping if field]
    for field in used:
        key = field.removeprefix(ATTRIBUTE)
        if field not in FIELDS and not (field.startswith(ATTRIBUTE) and 0 < len(key) <= 60):
            raise Refused(_("Unknown field: %s") % field, field="map")
        if used.count(field) > 1:
            raise Refused(
                _("Two columns are mapped to “%s”. Choose one of them.") % label_of(field), field="map"
            )
    if not set(used) & set(IDENTIFYING):
        raise Refused(
            _("Map at least one column to customer number, phone or email: without it nobody is found."),
            field="map",
        )
    return list(mapping)


def label_of(field: str) -> str:
    """Return how people read a field."""
    if field.startswith(ATTRIBUTE):
        return _("Attribute: %s") % field.removeprefix(ATTRIBUTE)
    return str(FIELDS.get(field, field))
