"""The export page: what, how, and what for."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.core.forms import PageForm
from notifyhub.customers.models import Segment
from notifyhub.customers.services.exporting import start_export
from notifyhub.staff.services.jobs import page_url


class ExportForm(PageForm):
    """A segment or everybody, the kind of file, masked or not, and the reason."""

    segment = forms.ModelChoiceField(
        label=gettext_lazy("Segment"),
        queryset=Segment.objects.none(),
        required=False,
        empty_label=gettext_lazy("All customers"),
    )
    form = forms.ChoiceField(
        label=gettext_lazy("Kind of file"),
        choices=[("csv", "CSV"), ("xlsx", "XLSX")],
        help_text=gettext_lazy("CSV for large numbers and for importing again; XLSX for people."),
    )
    full = forms.BooleanField(
        label=gettext_lazy("Full phone and email"),
        required=False,
        help_text=gettext_lazy("Without it they are masked, like everywhere."),
    )
    reason = forms.CharField(
        label=gettext_lazy("What for"),
        max_length=500,
        help_text=gettext_lazy("Kept in the audit trail with your name."),
    )

    def __init__(self, *args: Any, may_reveal: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["segment"].queryset = Segment.objects.filter(archived_at=None)  # type: ignore[attr-defined]
        if not may_reveal:
            del self.fields["full"]


class ExportPage(PageMixin, TemplateView):
    """Ask, then start the job."""

    permission_required = "customers.export_customer"
    title = gettext_lazy("Export customers")
    template_name = "customers/export/export.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        self.crumbs = [(_("Customers"), reverse("admin:customers_customer_changelist")), (_("Export"), "")]
        may_reveal = self.request.user.has_perm("customers.reveal_customer")
        kwargs.setdefault("form", ExportForm(may_reveal=may_reveal))
        return super().get_context_data(may_reveal=may_reveal, **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ExportForm(request.POST, may_reveal=request.user.has_perm("customers.reveal_customer"))
        if form.is_valid():
            data = form.cleaned_data
            try:
                job = start_export(
                    user=request.user,  # type: ignore[arg-type]
                    reason=data["reason"],
                    form=data["form"],
                    segment_id=data["segment"].pk if data["segment"] else None,
                    full=data.get("full", False),
                )
                return redirect(page_url(job))
            except Refused as refusal:
                form.refuse(refusal)
        return self.render_to_response(self.get_context_data(form=form), status=422)
