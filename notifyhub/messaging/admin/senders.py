"""Sender identities."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin
from unfold.decorators import display

from notifyhub.core.admin import ServiceAdmin
from notifyhub.core.templatetags.nh import chip
from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.looks import CLASS_TONES
from notifyhub.messaging.models import SenderIdentity
from notifyhub.messaging.services.senders import create_identity, update_identity


def several(label: Any, choices: Any, help_text: Any = "", *, required: bool = False) -> Any:
    """Return a form field of check boxes for a list column."""
    return forms.MultipleChoiceField(
        label=label,
        choices=choices,
        required=required,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "nh-checks"}),
        help_text=help_text,
    )


class IdentityForm(forms.ModelForm):
    """A sender identity, its classes as check boxes."""

    classes = several(
        _("Message classes"),
        MessageClass.choices,
        _("None: for every class that has no identity of its own."),
    )

    class Meta:
        model = SenderIdentity
        fields = ("name", "channel", "from_name", "from_email", "reply_to", "signature", "classes", "active")


@admin.register(SenderIdentity)
class SenderIdentityAdmin(SimpleHistoryAdmin, ServiceAdmin):
    """Who messages say they are from."""

    form = IdentityForm
    fields = ("name", "channel", "from_name", "from_email", "reply_to", "signature", "classes", "active")
    list_display = ("name", "channel", "shown_from", "shown_classes", "active")
    list_filter = ("channel", "active")

    def create_object(self, request: HttpRequest, data: dict[str, Any]) -> SenderIdentity:
        return create_identity(**data)

    def update_object(
        self, request: HttpRequest, obj: Any, changes: dict[str, Any], version: int | None
    ) -> None:
        update_identity(identity_id=obj.pk, changes=changes, version=version)

    @display(description=_("sender"))
    def shown_from(self, identity: SenderIdentity) -> str:
        signature = f"【{identity.signature}】" if identity.signature else ""
        return " ".join(part for part in (signature, identity.from_name, identity.from_email) if part) or "—"

    @display(description=_("message classes"))
    def shown_classes(self, identity: SenderIdentity) -> SafeString:
        chips = [
            chip(MessageClass(one).label, CLASS_TONES[MessageClass(one)])
            for one in identity.classes
            if one in MessageClass.values
        ]
        return mark_safe(" ".join(chips) or chip(_("every class"), "grey"))
