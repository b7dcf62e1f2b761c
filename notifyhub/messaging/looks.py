"""Icons and tones by which messages are told apart on every page."""

from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.models import Delivery, Dispatch, TemplateVersion

CHANNEL_ICONS = {
    Channel.EMAIL: "mail",
    Channel.SMS: "sms",
    Channel.PUSH: "smartphone",
    Channel.WECHAT: "chat",
    Channel.WECOM: "work",
    Channel.DINGTALK: "groups",
    Channel.INBOX: "notifications",
}
CLASS_TONES = {
    MessageClass.TRANSACTIONAL: "blue",
    MessageClass.SERVICE: "green",
    MessageClass.PROMOTIONAL: "violet",
    MessageClass.INFORMATIONAL: "grey",
}
VERSION_TONES = {
    TemplateVersion.State.DRAFT: "orange",
    TemplateVersion.State.PUBLISHED: "green",
    TemplateVersion.State.RETIRED: "grey",
}
STATE_TONES = {
    Delivery.State.PLANNED: "blue",
    Delivery.State.UNKNOWN: "orange",
    Delivery.State.SENT: "violet",
    Delivery.State.FAILED: "red",
    Delivery.State.DELIVERED: "green",
    Delivery.State.BOUNCED: "red",
    Delivery.State.SKIPPED: "grey",
    Delivery.State.EXPIRED: "grey",
    Delivery.State.CANCELLED: "grey",
    Delivery.State.GATHERED: "blue",
}
DISPATCH_TONES = {
    Dispatch.State.SCHEDULED: "grey",
    Dispatch.State.PLANNING: "blue",
    Dispatch.State.RUNNING: "violet",
    Dispatch.State.PAUSED: "orange",
    Dispatch.State.CANCELLING: "orange",
    Dispatch.State.CANCELLED: "grey",
    Dispatch.State.FINISHED: "green",
}
LANGUAGE_SHORT = {"zh-hans": "zh", "en": "en"}
