"""The import of customers: the common pages, with consent and confirmation between columns and result."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.customers.admin.consent_step import ConsentForm, consent_of
from notifyhub.customers.admin.importing import pages
from notifyhub.customers.admin.importing.showing import check_draft
from notifyhub.customers.models import CustomerImport, Segment, Topic
from notifyhub.customers.models.consent import Channel
from notifyhub.customers.services.importing.customers import CUSTOMER_IMPORT, decide_consent
from notifyhub.customers.services.importing.plans import ImportPlan


class _Customers(pages.ImportPage):
    importer = CUSTOMER_IMPORT
    permission_required = "customers.import_customer"
    title = gettext_lazy("Import customers")
    urls = "admin:customers_customer_import"
    home = (gettext_lazy("Customers"), "admin:customers_customer_changelist")
    here = gettext_lazy("Import")
    steps = (
        gettext_lazy("File"),
        gettext_lazy("Columns"),
        gettext_lazy("Consent"),
        gettext_lazy("Start"),
        gettext_lazy("Result"),
    )


class UploadPage(_Customers, pages.UploadPage):
    """The file of customers."""


class ColumnsPage(_Customers, pages.ColumnsPage):
    """The columns, and on to the consent."""

    def go_on(self, run: CustomerImport) -> HttpResponse:
        return redirect(self.address("consent", run))


class ConsentPage(_Customers):
    """What the people in the file agreed to; there is no default."""

    template_name = "customers/import/consent.html"
    step = 3

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run = self.get_run()
        if "form" not in kwargs:
            kwargs["form"] = ConsentForm(initial=ConsentForm.initial_of(run.plan))
        return super().get_context_data(run=run, topics=Topic.objects.filter(active=True), **kwargs)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self.get_run()
        form = ConsentForm(request.POST)
        if form.is_valid():
            try:
                chosen = form.cleaned_data["list"]
                list_id = chosen.pk if chosen else None
                decide_consent(run_id=run.pk, consent=consent_of(form), list_id=list_id)
                return redirect(self.address("confirm", run))
            except Refused as refusal:
                form.refuse(refusal)
        return self.render_to_response(self.get_context_data(form=form), status=422)


class ConfirmPage(_Customers):
    """Everything once more, and the button."""

    template_name = "customers/import/confirm.html"
    step = 4

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run = self.get_run()
        if not run.plan.get("consent_decided"):
            raise pages.Elsewhere(redirect(self.address("consent", run)))
        plan = ImportPlan.from_json(run.plan)
        topics = {topic.code: str(topic) for topic in Topic.objects.all()}
        grants = (
            [(topics.get(code, code), Channel(channel).label) for code, channel in plan.consent.grants]
            if plan.consent
            else []
        )
        return super().get_context_data(
            run=run,
            fields=[self.importer.vocabulary.label_of(field) for field in plan.mapping if field],
            left_out=sum(not field for field in plan.mapping),
            consent=plan.consent,
            static_list=Segment.objects.filter(pk=plan.list_id).first() if plan.list_id else None,
            grants=grants,
            check=check_draft(self.importer, run),
            **kwargs,
        )

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self.get_run()
        try:
            return self.start(run)
        except Refused as refusal:
            messages.warning(request, str(refusal))
            return redirect(self.address("confirm", run))


class ResultPage(_Customers, pages.ResultPage):
    """What became of a file of customers."""


class ProblemsFile(_Customers, pages.ProblemsFile):
    """Its rows that were not taken."""


class DiscardPage(_Customers, pages.DiscardPage):
    """Away with the draft."""
