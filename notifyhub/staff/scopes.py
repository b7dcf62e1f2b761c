"""What a program may be allowed to do."""

from django.utils.translation import gettext_lazy as _

SCOPES = {
    "customers:read": _("Read customers"),
    "customers:write": _("Add and change customers"),
    "events:write": _("Send events and orders"),
    "messages:read": _("Read what was sent"),
    "messages:send": _("Send messages"),
    "campaigns:launch": _("Launch campaigns"),
}
