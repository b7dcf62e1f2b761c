"""What each column of a file of customers may mean: a field of FIELDS, or "attribute:<key>"."""

import re

from django.utils.translation import gettext_lazy

from notifyhub.customers.services.importing.vocabulary import Vocabulary

ATTRIBUTE = "attribute:"

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
CUSTOMER_COLUMNS = Vocabulary(
    fields=FIELDS,
    synonyms=_SYNONYMS,
    prefix=ATTRIBUTE,
    own=re.compile(r"^(?:attributes?[.:]|attr[.:]|属性[.:：])\s*(.+)$", re.IGNORECASE),
    own_label=gettext_lazy("Attribute: %s"),
    key_length=60,
    identifying=("public_id", "external_id", "phone", "email"),
    # Our own export's column names are taken as they are, so that a key comes back letter by letter.
    as_written=True,
)
