"""The pages that every import has: file, columns, result."""

from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.core.forms import PageForm
from notifyhub.customers.admin.importing.showing import (
    DELIMITER_LABELS,
    check_draft,
    columns_of,
    in_words,
    shown_rows,
)
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing.importer import Importer
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.problems import problem_lines
from notifyhub.customers.services.importing.sniffing import DELIMITERS, ENCODINGS
from notifyhub.customers.services.importing.uploads import discard_draft

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


class Elsewhere(Exception):
    """Raised where an import has nothing to show on this page; carries the way to the right one."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


class ImportPage(PageMixin, TemplateView):
    """What the pages of an import share: the importer, the addresses, the steps, the import itself.

    `urls` is the name of the first page, and how the names of the others begin; `home` the title and name of
    the page the import belongs to.
    """

    importer: Importer[Any]
    urls = ""
    home: tuple[Any, str] = ("", "")
    here: Any = ""
    steps: tuple[Any, ...] = ()
    step = 1

    def address(self, page: str, run: CustomerImport) -> str:
        """Return the address of another page of this import."""
        return reverse(f"{self.urls}_{page}", args=[run.pk])

    def get_runs(self) -> QuerySet[CustomerImport]:
        """Return the imports that the viewer started, or all of them for a superuser."""
        rows = CustomerImport.objects.filter(kind=self.importer.kind).select_related("started_by")
        if not getattr(self.request.user, "is_superuser", False):
            rows = rows.filter(started_by_id=self.request.user.pk)
        return rows

    def get_run(self, *, state: str | None = State.DRAFT) -> CustomerImport:
        """Return the import if the viewer started it; 404 otherwise."""
        run = get_object_or_404(self.get_runs().select_related("job"), pk=self.kwargs["pk"])
        if state is not None and run.state != state:
            raise Elsewhere(redirect(self.address("result", run)))
        if state == State.DRAFT and not Path(run.path).is_file():
            raise Http404(_("The file of this import is gone. Upload it again."))
        return run

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().dispatch(request, *args, **kwargs)
        except Elsewhere as elsewhere:
            return elsewhere.response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        self.crumbs = [(self.home[0], reverse(self.home[1])), (self.here, "")]
        steps = [(n, name, n < self.step, n == self.step) for n, name in enumerate(self.steps, 1)]
        return super().get_context_data(steps=steps, urls=self.urls, **kwargs)

    def start(self, run: CustomerImport) -> HttpResponse:
        """Start the draft and go to its result; raise Refused if it cannot start."""
        url = self.address("result", run)
        title = _("Import %s") % run.file_name
        self.importer.start_import(run_id=run.pk, user=self.request.user, title=title, url=url)  # type: ignore[arg-type]
        return redirect(url)


class UploadPage(ImportPage):
    """Choose the file; the last imports stand below."""

    template_name = "customers/import/upload.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", UploadForm())
        return super().get_context_data(runs=self.get_runs().exclude(state=State.DRAFT)[:10], **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                run = self.importer.store_upload(upload=form.cleaned_data["file"], user=request.user)  # type: ignore[arg-type]
                return redirect(self.address("columns", run))
            except Refused as refusal:
                form.refuse(refusal)
        return self.render_to_response(self.get_context_data(form=form), status=422)


class ColumnsPage(ImportPage):
    """The file as it is understood: encoding, columns, first rows, what a full reading finds."""

    template_name = "customers/import/columns.html"
    step = 2

    def go_on(self, run: CustomerImport) -> HttpResponse:
        """Return the way from here, the columns being right; raise Refused to stay."""
        return redirect(self.address("columns", run))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run = self.get_run()
        plan = ImportPlan.from_json(run.plan)
        sample = self.importer.sample_file(Path(run.path), encoding=plan.encoding, delimiter=plan.delimiter)
        mapping = kwargs.pop("mapping", None) or list(plan.mapping)
        check = None if kwargs.get("error") else check_draft(self.importer, run)
        vocabulary = self.importer.vocabulary
        return super().get_context_data(
            run=run,
            sample=sample,
            columns=columns_of(sample, mapping, vocabulary),
            rows=shown_rows(self.importer, sample, mapping),
            check=check,
            found=[in_words(problem, vocabulary) for problem in check.problems] if check else [],
            encodings=ENCODINGS,
            encoding_label=ENCODINGS.get(sample.encoding, ""),
            delimiters=[(key, DELIMITER_LABELS[key]) for key in DELIMITERS],
            delimiter_label=DELIMITER_LABELS.get(sample.delimiter, ""),
            **kwargs,
        )

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self.get_run()
        do = request.POST.get("do")
        mapping: list[str] = []
        try:
            if do == "reread":
                said = {name: request.POST.get(name, "") for name in ("encoding", "delimiter")}
                self.importer.read_draft_again(run_id=run.pk, **said)
                return redirect(self.address("columns", run))
            mapping = [request.POST.get(f"column-{n}", "") for n in range(len(run.plan["mapping"]))]
            self.importer.map_draft(run_id=run.pk, mapping=mapping)
            return redirect(self.address("columns", run)) if do == "check" else self.go_on(run)
        except Refused as refusal:
            # Shown again without what no form of ours offers.
            known = [field if self.importer.vocabulary.knows(field) else "" for field in mapping]
            context = self.get_context_data(error=str(refusal), mapping=known)
            return self.render_to_response(context, status=422)


class ResultPage(ImportPage):
    """The job while it runs; then the counts and the rows that were not taken."""

    template_name = "customers/import/result.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run = self.get_run(state=None)
        if run.state == State.DRAFT:
            raise Elsewhere(redirect(self.address("columns", run)))
        self.step = len(self.steps)
        listed = run.problems.order_by("line", "id")[:50]
        found = [in_words(problem, self.importer.vocabulary) for problem in listed]
        return super().get_context_data(run=run, job=run.job, found=found, **kwargs)


class ProblemsFile(ImportPage):
    """The rows that were not taken, as a CSV in the viewer's language."""

    file_name = "import"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        run = self.get_run(state=None)
        lines = problem_lines(run, label=self.importer.vocabulary.label_of)
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{self.file_name}-{run.pk}-problems.csv"'
        response["X-Content-Type-Options"] = "nosniff"
        return response


class DiscardPage(ImportPage):
    """Forget the draft and its file, by POST."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        discard_draft(run_id=self.get_run().pk)
        messages.success(request, _("The upload was deleted; nothing was imported."))
        return redirect(self.urls)
