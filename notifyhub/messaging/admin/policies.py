"""Sending policies: the list, and the page of one class."""

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import FormView
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.decorators import display

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.core.templatetags.nh import chip, number
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.admin.policy_form import PolicyForm
from notifyhub.messaging.admin.templates.create import dressed
from notifyhub.messaging.looks import CHANNEL_ICONS, CLASS_TONES
from notifyhub.messaging.models import SendingPolicy
from notifyhub.messaging.services.policies import update_policy
from notifyhub.messaging.services.retiming import Outcome


def _saved_words(planned: Outcome) -> str:
    """Return what saving did, to what is planned already as well."""
    said = _("Saved. It holds from the next batch on.")
    if planned.job is not None:
        more = _("The planned batches are being moved to the new hours; the job says how far that is.")
    elif planned.moved:
        more = ngettext(
            "%(n)s planned batch moved to the new hours.",
            "%(n)s planned batches moved to the new hours.",
            planned.moved,
        ) % {"n": number(planned.moved)}
    else:
        return said
    return f"{said} {more}"


class PolicyPage(PageMixin, FormView):
    """What one message class may use."""

    template_name = "messaging/policy.html"

    def get_permission_required(self) -> tuple[str, ...]:
        view = self.request.method in ("GET", "HEAD")
        return (f"messaging.{'view' if view else 'change'}_sendingpolicy",)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            found = SendingPolicy.objects.filter(pk=int(kwargs["pk"])).first()
        except (ValueError, OverflowError):
            found = None
        if found is None:
            raise Http404
        self.policy = found
        return super().dispatch(request, *args, **kwargs)

    def get_form(self, form_class: Any = None) -> Any:
        data = self.request.POST if self.request.method == "POST" else None
        return dressed(PolicyForm(data, policy=self.policy))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        self.title = self.policy.get_message_class_display()
        self.crumbs = [
            (_("Sending policies"), reverse("admin:messaging_sendingpolicy_changelist")),
            (self.title, ""),
        ]
        kwargs.setdefault("form", None)
        form = kwargs.pop("form") or self.get_form()
        return PageMixin.get_context_data(
            self,
            form=form,
            policy=self.policy,
            tone=CLASS_TONES[MessageClass(self.policy.message_class)],
            may_save=self.request.user.has_perm("messaging.change_sendingpolicy"),
            **kwargs,
        )

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            saved = update_policy(
                policy_id=self.policy.pk,
                changes=form.changes(),
                rules=form.rules(),
                version=form.cleaned_data.get("expected_version"),
            )
        except Refused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
            return self.form_invalid(dressed(form))
        messages.success(self.request, _saved_words(saved.planned))
        return redirect("admin:messaging_sendingpolicy_changelist")


@admin.register(SendingPolicy)
class SendingPolicyAdmin(SimpleHistoryAdmin, ModelAdmin):
    """One policy per message class; they are made with the database and only changed here."""

    list_display = ("shown_class", "shown_channels", "shown_hours", "shown_caps")
    list_display_links = ("shown_class",)
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return PolicyPage.as_view(model_admin=self)(request, pk=object_id)  # type: ignore[return-value]

    @display(description=gettext_lazy("message class"))
    def shown_class(self, policy: SendingPolicy) -> SafeString:
        return chip(policy.get_message_class_display(), CLASS_TONES[MessageClass(policy.message_class)])

    @display(description=gettext_lazy("allowed channels"))
    def shown_channels(self, policy: SendingPolicy) -> SafeString:
        known = [Channel(one) for one in Channel.values if one in policy.channels]
        if len(known) == len(Channel):
            return chip(_("All channels"), "grey")
        return mark_safe(" ".join(chip(one.label, "grey", CHANNEL_ICONS[one]) for one in known) or "—")

    @display(description=gettext_lazy("quiet hours"))
    def shown_hours(self, policy: SendingPolicy) -> str:
        since, until = policy.quiet_from, policy.quiet_until
        return f"{since:%H:%M}–{until:%H:%M}" if since and until and since != until else "—"

    @display(description=gettext_lazy("frequency"))
    def shown_caps(self, policy: SendingPolicy) -> str:
        if policy.message_class == MessageClass.SERVICE:
            gap = policy.subject_gap_hours
            return _("%d h between two about one subject") % gap if gap else "—"
        parts = []
        if policy.cap_day:
            parts.append(_("%d a day") % policy.cap_day)
        if policy.cap_week:
            parts.append(_("%d in 7 days") % policy.cap_week)
        return ", ".join(parts) or "—"
