"""What each column of a file of events may mean: a field of FIELDS, or "property:<key>"."""

import re

from django.utils.translation import gettext_lazy

from notifyhub.customers.services.importing.vocabulary import Vocabulary

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
EVENT_COLUMNS = Vocabulary(
    fields=FIELDS,
    synonyms=_SYNONYMS,
    prefix=PROPERTY,
    own=re.compile(r"^(?:propert(?:y|ies)|props?|属性)[.:：]\s*(.+)$", re.IGNORECASE),
    own_label=gettext_lazy("Property: %s"),
    key_length=80,
    identifying=("external_id", "phone", "email", "anonymous_id"),
    needed=("name", "occurred_at"),
    nested="properties.",
)
