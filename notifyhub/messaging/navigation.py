"""The messaging app's entries of the sidebar."""

from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import NavItem, navigation

ITEMS = {
    "templates": ("marketing", _("Templates"), "draft", "messaging_template_changelist", "view_template", 50),
    "messages": ("messages", _("Messages"), "forum", "messaging_delivery_changelist", "view_delivery", 10),
    "replies": (
        "messages",
        _("Replies"),
        "reply",
        "messaging_inboundmessage_changelist",
        "view_inboundmessage",
        15,
    ),
    "dispatches": (
        "messages",
        _("Dispatches"),
        "outbox",
        "messaging_dispatch_changelist",
        "view_dispatch",
        20,
    ),
    "sandbox": ("messages", _("Sandbox"), "science", "messaging_delivery_sandbox", "view_delivery", 30),
    "accounts": (
        "system",
        _("Provider accounts"),
        "hub",
        "messaging_provideraccount_changelist",
        "view_provideraccount",
        40,
    ),
    "identities": (
        "system",
        _("Sender identities"),
        "badge",
        "messaging_senderidentity_changelist",
        "view_senderidentity",
        50,
    ),
    "policies": (
        "system",
        _("Sending policies"),
        "policy",
        "messaging_sendingpolicy_changelist",
        "view_sendingpolicy",
        60,
    ),
}


def register() -> None:
    """Hand the entries to the registry."""
    for name, (section, title, icon, url_name, permission, order) in ITEMS.items():
        item = NavItem(
            section=section,
            title=title,
            icon=icon,
            url_name=f"admin:{url_name}",
            permission=f"messaging.{permission}",
        )
        navigation.register(name, item, order=order)
