"""The page for a new template."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Topic
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.services.templates import create_template
from notifyhub.staff.models import Team


def dressed(form: forms.Form) -> forms.Form:
    """Return the form with the console's classes on its inputs."""
    for name, field in form.fields.items():
        widget: Any = field.widget
        kind = "nh-select" if isinstance(widget, forms.Select) else "nh-input"
        if not isinstance(widget, forms.CheckboxInput | forms.RadioSelect | forms.HiddenInput):
            widget.attrs.setdefault("class", kind)
        if form.is_bound and name in form.errors:
            widget.attrs["aria-invalid"] = "true"
    return form


class CreateForm(forms.Form):
    """What is known of a template before its text."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    message_class = forms.ChoiceField(
        label=gettext_lazy("Message class"),
        choices=MessageClass.choices,
        widget=forms.RadioSelect,
        initial=MessageClass.PROMOTIONAL,
    )
    topic = forms.ModelChoiceField(
        label=gettext_lazy("Topic"),
        queryset=Topic.objects.filter(active=True),
        required=False,
        help_text=gettext_lazy(
            "What the customer subscribes to. Only transactional messages go without one."
        ),
    )
    channel = forms.ChoiceField(label=gettext_lazy("First channel"), choices=Channel.choices)
    language = forms.ChoiceField(label=gettext_lazy("First language"), choices=settings.LANGUAGES)
    owner_team = forms.ModelChoiceField(
        label=gettext_lazy("Owning team"), queryset=Team.objects.filter(active=True), required=False
    )
    key = forms.SlugField(
        label=gettext_lazy("Key"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("By which programs name it. Empty: made from the name."),
    )


CLASS_NOTES = {
    MessageClass.TRANSACTIONAL: gettext_lazy("Order, payment, code, security: always sent"),
    MessageClass.SERVICE: gettext_lazy("Renewal, bill, appointment: unless opted out"),
    MessageClass.PROMOTIONAL: gettext_lazy("Offers and coupons: only to who opted in"),
    MessageClass.INFORMATIONAL: gettext_lazy("Rules, maintenance, releases: unless opted out"),
}


class CreatePage(PageMixin, FormView):
    """Name, class, topic and first text of a new template; then the studio."""

    template_name = "messaging/studio/new.html"
    permission_required = "messaging.add_template"
    title = gettext_lazy("New template")
    form_class = CreateForm

    def get_form(self, form_class: Any = None) -> Any:
        return dressed(super().get_form(form_class))

    def get_initial(self) -> dict[str, Any]:
        member: Any = self.request.user
        return {
            "owner_team": Team.objects.filter(memberships__user=member).first(),
            "language": "zh-hans" if (self.request.LANGUAGE_CODE or "").startswith("zh") else "en",
        }

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        self.crumbs = [(_("Templates"), reverse("admin:messaging_template_changelist")), (self.title, "")]
        return super().get_context_data(class_notes=CLASS_NOTES, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.get_form()
        if not form.is_valid():
            return self.form_invalid(form)
        data = form.cleaned_data
        try:
            template = create_template(owner=request.user, **data)  # type: ignore[arg-type]
        except Refused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
            return self.form_invalid(dressed(form))
        messages.success(request, _("Created. Now write its text."))
        return redirect("admin:messaging_template_change", template.pk)
