"""The pages of an import, one per step."""

from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.core.forms import PageForm
from notifyhub.customers.admin.consent_step import ConsentForm, consent_of
from notifyhub.customers.admin.importing.showing import (
    DELIMITER_LABELS,
    check_draft,
    columns_of,
    in_words,
    shown_rows,
)
from notifyhub.customers.models import CustomerImport, Segment, Topic
from notifyhub.customers.models.consent import Channel
from notifyhub.customers.services.importing import uploads
from notifyhub.customers.services.importing.columns import label_of
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.previews import sample_file
from notifyhub.customers.services.importing.problems import problem_lines, reason_of
from notifyhub.customers.services.importing.sniffing import DELIMITERS, ENCODINGS

State = CustomerImport.State


class UploadForm(PageForm):
    """The file."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx"}),
        help_text=gettext_lazy(
            "CSV (comma, tab or semicolon; UTF-8, GB18030 or UTF-16) or XLSX. "
            "The first row names the columns."
        ),
        max_length=200,
        allow_empty_file=True,
    )


class _Step(PageMixin, TemplateView):
    """What the pages of an import share: the permission, the crumbs, the import itself."""

    permission_required = "customers.import_customer"
    title = gettext_lazy("Import customers")
    step = 1

    def get_run(self, *, state: str | None = State.DRAFT) -> CustomerImport:
        """Return the import if the viewer started it; 404 otherwise."""
        rows = CustomerImport.objects.filter(kind=CustomerImport.Kind.CUSTOMERS)
        rows = rows.select_related("job", "started_by")
        if not getattr(self.request.user, "is_superuser", False):
            rows = rows.filter(started_by_id=self.request.user.pk)
        run = get_object_or_404(rows, pk=self.kwargs["pk"])
        if state is not None and run.state != state:
            raise _Elsewhere(redirect("admin:customers_customer_import_result", run.pk))
        if state == State.DRAFT and not Path(run.path).is_file():
            raise Http404(_("The file of this import is gone. Upload it again."))
        return run

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().dispatch(request, *args, **kwargs)
        except _Elsewhere as elsewhere:
            return elsewhere.response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        customers = reverse("admin:customers_customer_changelist")
        self.crumbs = [(_("Customers"), customers), (_("Import"), "")]
        steps = [_("File"), _("Columns"), _("Consent"), _("Start"), _("Result")]
        return super().get_context_data(
            steps=[(n, name, n < self.step, n == self.step) for n, name in enumerate(steps, 1)], **kwargs
        )


class _Elsewhere(Exception):
    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


class UploadPage(_Step):
    """Choose the file; the last imports stand below."""

    template_name = "customers/import/upload.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", UploadForm())
        runs = CustomerImport.objects.filter(kind=CustomerImport.Kind.CUSTOMERS).exclude(state=State.DRAFT)
        runs = runs.select_related("started_by")
        if not getattr(self.request.user, "is_superuser", False):
            runs = runs.filter(started_by_id=self.request.user.pk)
        return super().get_context_data(runs=runs[:10], **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                run = uploads.store_upload(upload=form.cleaned_data["file"], user=request.user)  # type: ignore[arg-type]
                return redirect("admin:customers_customer_import_columns", run.pk)
            except Refused as refusal:
                form.refuse(refusal)
        return self.render_to_response(self.get_context_data(form=form), status=422)


class ColumnsPage(_Step):
    """The file as it is understood: encoding, columns, first rows, what a full reading finds."""

    template_name = "customers/import/columns.html"
    step = 2

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run = self.get_run()
        plan = ImportPlan.from_json(run.plan)
        sample = sample_file(Path(run.path), encoding=plan.encoding, delimiter=plan.delimiter)
        mapping = kwargs.pop("mapping", None) or list(plan.mapping)
        check = None
        if not kwargs.get("error"):
            check = check_draft(run, plan)
        return super().get_context_data(
            run=run,
            sample=sample,
            columns=columns_of(sample, mapping),
            rows=shown_rows(sample, mapping),
            check=check,
            found=[in_words(problem) for problem in check.problems[:20]] if check else [],
            encodings=ENCODINGS,
            encoding_label=ENCODINGS.get(sample.encoding, ""),
            delimiters=[(key, DELIMITER_LABELS[key]) for key in DELIMITERS],
            delimiter_label=DELIMITER_LABELS.get(sample.delimiter, ""),
            **kwargs,
        )

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self.get_run()
        mapping: list[str] = []
        try:
            if request.POST.get("do") == "reread":
                uploads.read_draft_again(
                    run_id=run.pk,
                    encoding=request.POST.get("encoding", ""),
                    delimiter=request.POST.get("delimiter", ""),
                )
                return redirect("admin:customers_customer_import_columns", run.pk)
            width = len(run.plan["mapping"])
            mapping = [request.POST.get(f"column-{n}", "") for n in range(width)]
            uploads.map_draft(run_id=run.pk, mapping=mapping)
        except Refused as refusal:
            context = self.get_context_data(error=str(refusal), mapping=mapping)
            return self.render_to_response(context, status=422)
        again = request.POST.get("do") == "check"
        return redirect(f"admin:customers_customer_import_{'columns' if again else 'consent'}", run.pk)


class ConsentPage(_Step):
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
                uploads.decide_consent(
                    run_id=run.pk, consent=consent_of(form), list_id=chosen.pk if chosen else None
                )
                return redirect("admin:customers_customer_import_confirm", run.pk)
            except Refused as refusal:
                form.refuse(refusal)
        return self.render_to_response(self.get_context_data(form=form), status=422)


class ConfirmPage(_Step):
    """Everything once more, and the button."""

    template_name = "customers/import/confirm.html"
    step = 4

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run = self.get_run()
        if not run.plan.get("consent_decided"):
            raise _Elsewhere(redirect("admin:customers_customer_import_consent", run.pk))
        plan = ImportPlan.from_json(run.plan)
        topics = {topic.code: str(topic) for topic in Topic.objects.all()}
        grants = (
            [(topics.get(code, code), Channel(channel).label) for code, channel in plan.consent.grants]
            if plan.consent
            else []
        )
        return super().get_context_data(
            run=run,
            fields=[label_of(field) for field in plan.mapping if field],
            left_out=sum(not field for field in plan.mapping),
            consent=plan.consent,
            static_list=Segment.objects.filter(pk=plan.list_id).first() if plan.list_id else None,
            grants=grants,
            check=check_draft(run, plan),
            **kwargs,
        )

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self.get_run()
        url = reverse("admin:customers_customer_import_result", args=[run.pk])
        try:
            uploads.start_import(
                run_id=run.pk,
                user=request.user,  # type: ignore[arg-type]
                title=_("Import %s") % run.file_name,
                url=url,
            )
        except Refused as refusal:
            messages.warning(request, str(refusal))
            return redirect("admin:customers_customer_import_confirm", run.pk)
        return redirect(url)


class ResultPage(_Step):
    """The job while it runs; then the counts and the rows that were not taken."""

    template_name = "customers/import/result.html"
    step = 5

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run = self.get_run(state=None)
        if run.state == State.DRAFT:
            raise _Elsewhere(redirect("admin:customers_customer_import_columns", run.pk))
        listed = run.problems.order_by("line", "id")[:50]
        found = [
            (problem.line, label_of(problem.column) if problem.column else "", problem.value, text)
            for problem in listed
            for text in [reason_of(problem.code, problem.params)]
        ]
        return super().get_context_data(run=run, job=run.job, found=found, **kwargs)


class ProblemsFile(_Step):
    """The rows that were not taken, as a CSV in the viewer's language."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        run = self.get_run(state=None)
        response = StreamingHttpResponse(problem_lines(run), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="import-{run.pk}-problems.csv"'
        response["X-Content-Type-Options"] = "nosniff"
        return response


class DiscardPage(_Step):
    """Forget the draft and its file, by POST."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self.get_run()
        uploads.discard_draft(run_id=run.pk)
        messages.success(request, _("The upload was deleted; nothing was imported."))
        return redirect("admin:customers_customer_import")
