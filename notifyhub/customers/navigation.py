"""The customers app's entries of the sidebar."""

from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import NavItem, navigation

ITEMS = {
    "segments": (
        "marketing",
        _("Segments"),
        "filter_alt",
        "admin:customers_segment_changelist",
        "view_segment",
    ),
    "customers": (
        "customers",
        _("Customers"),
        "group",
        "admin:customers_customer_changelist",
        "view_customer",
    ),
    "duplicates": (
        "customers",
        _("Duplicates"),
        "merge",
        "admin:customers_merge_changelist",
        "merge_customer",
    ),
    "orders": ("customers", _("Orders"), "receipt_long", "admin:customers_order_changelist", "view_order"),
    "events": (
        "customers",
        _("Event catalogue"),
        "bolt",
        "admin:customers_eventname_changelist",
        "view_eventname",
    ),
    "parked": (
        "customers",
        _("Events put aside"),
        "inventory_2",
        "admin:customers_parkedevent_changelist",
        "view_parkedevent",
    ),
    "holds": ("customers", _("Holds"), "front_hand", "admin:customers_hold_changelist", "view_hold"),
    "suppressions": (
        "customers",
        _("Suppressions"),
        "block",
        "admin:customers_suppression_changelist",
        "view_suppression",
    ),
    "portraits": (
        "customers",
        _("Portraits"),
        "account_circle",
        "admin:customers_traitsettings_changelist",
        "view_traitsettings",
    ),
    "topics": ("customers", _("Topics"), "label", "admin:customers_topic_changelist", "view_topic"),
}


def register() -> None:
    """Hand the entries to the registry."""
    for name, (section, title, icon, url_name, permission) in ITEMS.items():
        navigation.register(
            name,
            NavItem(
                section=section,
                title=title,
                icon=icon,
                url_name=url_name,
                permission=f"customers.{permission}",
            ),
            order=40 if section == "marketing" else 10,
        )
