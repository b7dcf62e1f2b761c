"""The policy for unknown customers, on one page."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from simple_history.admin import SimpleHistoryAdmin

from notifyhub.core.errors import Refused
from notifyhub.core.forms import PageForm
from notifyhub.customers.admin.events.base import EventPage, PagesAdmin
from notifyhub.customers.models import EventPolicy
from notifyhub.customers.services.events.people import current_policy
from notifyhub.customers.services.events.policy import change_policy


class PolicyForm(PageForm):
    """What becomes of whom nobody knows."""

    unknown = forms.ChoiceField(
        label=gettext_lazy("An event names a customer nobody knows"),
        choices=EventPolicy.Unknown.choices,
        widget=forms.RadioSelect,
        help_text=gettext_lazy("A visitor with nothing but an anonymous id always waits."),
    )
    waiting_days = forms.IntegerField(
        label=gettext_lazy("Days that parked and refused events are kept"), min_value=1, max_value=400
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)


class PolicyPage(EventPage):
    """The policy, and POST to change it."""

    template_name = "customers/events/policy.html"
    permission_required = "customers.view_eventpolicy"

    def get(self, request: HttpRequest) -> HttpResponse:
        policy = current_policy()
        fields = ("unknown", "waiting_days", "version")
        return self.answer(PolicyForm(initial={name: getattr(policy, name) for name in fields}))

    def answer(self, form: PolicyForm, status: int = 200) -> HttpResponse:
        title = _("Unknown customers")
        context = self.get_context_data(
            title=title,
            crumbs=self.trail((title, "")),
            form=form,
            has_history=EventPolicy.objects.exists(),
            may_write=self.may("change_eventpolicy"),
        )
        return self.render_to_response(context, status=status)

    def post(self, request: HttpRequest) -> HttpResponse:
        if not self.may("change_eventpolicy"):
            return self.handle_no_permission()
        form = PolicyForm(request.POST)
        if form.is_valid():
            try:
                change_policy(**form.cleaned_data)
            except Refused as refusal:
                form.refuse(refusal)
            else:
                messages.success(request, _("Saved. It holds for the events to come."))
                return redirect("admin:customers_eventpolicy_changelist")
        return self.answer(form, 422)


@admin.register(EventPolicy)
class EventPolicyAdmin(SimpleHistoryAdmin, PagesAdmin):
    """One row with its history."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        return PolicyPage.as_view(model_admin=self)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return redirect("admin:customers_eventpolicy_changelist")
