"""Words that forms of this app offer."""

from django.utils.translation import gettext_lazy as _

# Stored as codes, so that records read the same in both languages.
GIVEN_TO_STAFF = ("phone_call", "chat", "email", "store", "paper", "app")
SOURCES = {
    "phone_call": _("On the phone"),
    "chat": _("In a chat"),
    "email": _("By email"),
    "store": _("In a store"),
    "paper": _("On paper"),
    "app": _("In the app"),
    "import": _("Imported file"),
    "unsubscribe": _("Unsubscribe link"),
    "merge": _("Merged customer"),
}
