"""The pages of an import of events: file, columns, result."""

from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.customers.admin.events.base import EventPage
from notifyhub.customers.admin.importing.pages import UploadForm
from notifyhub.customers.admin.importing.showing import CHECKED_ROWS, DELIMITER_LABELS
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.events.importing import uploads
from notifyhub.customers.services.events.importing.columns import (
    FIELDS,
    PROPERTY,
    guess_mapping,
    label_of,
    meaning_of,
)
from notifyhub.customers.services.events.importing.running import check_file
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.previews import SMALL_FILE_BYTES, Sample, sample_file
from notifyhub.customers.services.importing.problems import mask_cell, problem_lines, reason_of
from notifyhub.customers.services.importing.sniffing import DELIMITERS, ENCODINGS
from notifyhub.customers.services.importing.uploads import discard_draft

State, Kind = CustomerImport.State, CustomerImport.Kind


class _Elsewhere(Exception):
    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


class _Step(EventPage):
    permission_required = "customers.add_event"
    title = gettext_lazy("Import events")
    step = 1

    def get_run(self, *, state: str | None = State.DRAFT) -> CustomerImport:
        """Return the import if the viewer started it; 404 otherwise."""
        rows = CustomerImport.objects.filter(kind=Kind.EVENTS).select_related("job", "started_by")
        if not getattr(self.request.user, "is_superuser", False):
            rows = rows.filter(started_by_id=self.request.user.pk)
        run = get_object_or_404(rows, pk=self.kwargs["pk"])
        if state is not None and run.state != state:
            raise _Elsewhere(redirect("admin:customers_event_import_result", run.pk))
        if state == State.DRAFT and not Path(run.path).is_file():
            raise Http404(_("The file of this import is gone. Upload it again."))
        return run

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().dispatch(request, *args, **kwargs)
        except _Elsewhere as elsewhere:
            return elsewhere.response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        self.crumbs = self.trail((_("Import events"), ""))
        steps = [_("File"), _("Columns"), _("Result")]
        return super().get_context_data(
            steps=[(n, name, n < self.step, n == self.step) for n, name in enumerate(steps, 1)], **kwargs
        )


class UploadPage(_Step):
    """Choose the file; the last imports stand below."""

    template_name = "customers/events/import/upload.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", UploadForm())
        runs = CustomerImport.objects.filter(kind=Kind.EVENTS).exclude(state=State.DRAFT)
        if not getattr(self.request.user, "is_superuser", False):
            runs = runs.filter(started_by_id=self.request.user.pk)
        return super().get_context_data(runs=runs.select_related("started_by")[:10], **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render_to_response(self.get_context_data())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                run = uploads.store_upload(upload=form.cleaned_data["file"], user=request.user)  # type: ignore[arg-type]
                return redirect("admin:customers_event_import_columns", run.pk)
            except Refused as refusal:
                form.refuse(refusal)
        return self.render_to_response(self.get_context_data(form=form), status=422)


class ColumnsPage(_Step):
    """The file as it is understood, what is wrong in it, and the button that starts."""

    template_name = "customers/events/import/columns.html"
    step = 2

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.answer(self.get_run())

    def answer(
        self, run: CustomerImport, *, mapping: list[str] | None = None, error: str = ""
    ) -> HttpResponse:
        plan = ImportPlan.from_json(run.plan)
        path = Path(run.path)
        sample = sample_file(path, encoding=plan.encoding, delimiter=plan.delimiter, guess=guess_mapping)
        mapping = mapping or list(plan.mapping)
        check = None
        if not error and len(mapping) == len(sample.header):
            limit = None if path.stat().st_size <= SMALL_FILE_BYTES else CHECKED_ROWS
            check = check_file(path, plan, limit=limit)
        context = self.get_context_data(
            run=run,
            sample=sample,
            columns=_columns(sample, mapping),
            rows=_rows(sample, mapping),
            check=check,
            found=[(p.line, label_of(p.column), p.value, reason_of(p.code, p.params)) for p in check.problems]
            if check
            else [],
            error=error,
            encodings=ENCODINGS,
            encoding_label=ENCODINGS.get(sample.encoding, ""),
            delimiters=[(key, DELIMITER_LABELS[key]) for key in DELIMITERS],
            delimiter_label=DELIMITER_LABELS.get(sample.delimiter, ""),
        )
        return self.render_to_response(context, status=422 if error else 200)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self.get_run()
        mapping: list[str] = []
        try:
            if request.POST.get("do") == "reread":
                said = {name: request.POST.get(name, "") for name in ("encoding", "delimiter")}
                uploads.read_draft_again(run_id=run.pk, **said)
                return redirect("admin:customers_event_import_columns", run.pk)
            mapping = [request.POST.get(f"column-{n}", "") for n in range(len(run.plan["mapping"]))]
            uploads.map_draft(run_id=run.pk, mapping=mapping)
            if request.POST.get("do") == "check":
                return redirect("admin:customers_event_import_columns", run.pk)
            url = reverse("admin:customers_event_import_result", args=[run.pk])
            title = _("Import %s") % run.file_name
            uploads.start_import(run_id=run.pk, user=request.user, title=title, url=url)  # type: ignore[arg-type]
        except Refused as refusal:
            return self.answer(run, mapping=mapping, error=str(refusal))
        return redirect(url)


class ResultPage(_Step):
    """The job while it runs; then the counts and the rows that were not taken."""

    template_name = "customers/events/import/result.html"
    step = 3

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self.get_run(state=None)
        if run.state == State.DRAFT:
            return redirect("admin:customers_event_import_columns", run.pk)
        found = [
            (p.line, label_of(p.column), p.value, reason_of(p.code, p.params))
            for p in run.problems.order_by("line", "id")[:50]
        ]
        return self.render_to_response(self.get_context_data(run=run, job=run.job, found=found))


class ProblemsFile(_Step):
    """The rows that were not taken, as a CSV."""

    def get(self, request: HttpRequest, pk: int) -> Any:
        run = self.get_run(state=None)
        response = StreamingHttpResponse(
            problem_lines(run, label=label_of), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="events-{run.pk}-problems.csv"'
        response["X-Content-Type-Options"] = "nosniff"
        return response


class DiscardPage(_Step):
    """Forget the draft and its file, by POST."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        discard_draft(run_id=self.get_run().pk)
        messages.success(request, _("The upload was deleted; nothing was imported."))
        return redirect("admin:customers_event_import")


IMPORT_PAGES: dict[str, tuple[str, Any]] = {
    "import/": ("event_import", UploadPage),
    "import/<int:pk>/": ("event_import_columns", ColumnsPage),
    "import/<int:pk>/result/": ("event_import_result", ResultPage),
    "import/<int:pk>/problems/": ("event_import_problems", ProblemsFile),
    "import/<int:pk>/discard/": ("event_import_discard", DiscardPage),
}


def _columns(sample: Sample, mapping: list[str]) -> list[dict[str, Any]]:
    """Return each column with what it means and what it could mean."""
    columns = []
    for place, name in enumerate(sample.header):
        chosen = mapping[place] if place < len(mapping) else ""
        meaning = meaning_of(name)
        key = meaning if meaning.startswith(PROPERTY) else PROPERTY + (name[:80] or f"column_{place + 1}")
        own = chosen if chosen.startswith(PROPERTY) else key
        choices = [("", _("Leave out")), *((field, str(label)) for field, label in FIELDS.items())]
        columns.append(
            {"place": place, "name": name, "chosen": chosen, "choices": [*choices, (own, label_of(own))]}
        )
    return columns


def _rows(sample: Sample, mapping: list[str]) -> list[dict[str, Any]]:
    """Return the first rows, phone and email masked like everywhere."""
    shown = []
    for record in sample.records:
        if record.problem is not None:
            reason = reason_of(record.problem.code, record.problem.params)
            shown.append({"line": record.line, "cells": [], "problem": ("", "", "", reason)})
            continue
        cells = [
            mask_cell(cell) if field in ("phone", "email") or "@" in cell else cell
            for field, cell in zip(mapping, record.cells, strict=False)
        ]
        shown.append({"line": record.line, "cells": cells, "problem": None})
    return shown
