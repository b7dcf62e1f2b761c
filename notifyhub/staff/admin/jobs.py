"""Jobs: a list, a page with progress, and the result to fetch."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin, PageMixin
from notifyhub.core.errors import Refused
from notifyhub.core.templatetags.nh import bar, chip, number, when
from notifyhub.staff.models import Job
from notifyhub.staff.services import audit
from notifyhub.staff.services.jobs import cancel_job, result_of
from notifyhub.staff.templatetags.staff import job_tone

STOP_POLLING = 286


def jobs_for(request: HttpRequest) -> QuerySet[Job]:
    """Return the jobs that the viewer may see: their own, or all with the permission."""
    rows = Job.objects.select_related("started_by")
    if request.user.has_perm("staff.view_job"):
        return rows
    return rows.filter(started_by_id=request.user.pk)


class JobPage(PageMixin, TemplateView):
    """One job: how far it is, what came of it."""

    template_name = "staff/job_page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        job = get_object_or_404(jobs_for(self.request), pk=self.kwargs["pk"])
        self.title = job.title
        self.crumbs = [(_("Jobs"), reverse("admin:staff_job_changelist")), (job.title, "")]
        return super().get_context_data(job=job, **kwargs)


@admin.register(Job)
class JobAdmin(LedgerAdmin):
    """Long work: one's own, or everybody's for those who may see it."""

    list_display = ("shown_title", "shown_state", "progress", "started_by", "shown_start", "shown_end")
    list_filter = ("state",)
    list_select_related = ("started_by",)
    list_display_links = ("shown_title",)
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return jobs_for(request).order_by("-id")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/page/", wrap(JobPage.as_view(model_admin=self)), name="staff_job_page"),
            path("<int:pk>/progress/", wrap(never_cache(self.progress_view)), name="staff_job_progress"),
            path("<int:pk>/file/", wrap(never_cache(self.file_view)), name="staff_job_file"),
            path("<int:pk>/cancel/", wrap(self.cancel_view), name="staff_job_cancel"),
            *super().get_urls(),
        ]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send the list's link on to the job's own page."""
        if not object_id.isdecimal():
            raise Http404
        return redirect("admin:staff_job_page", object_id)

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the bar alone; status 286 tells htmx that there is nothing more to ask for."""
        job = get_object_or_404(jobs_for(request), pk=pk)
        context = {"job": job}
        return render(request, "staff/job_bar.html", context, status=200 if job.is_open else STOP_POLLING)

    def file_view(self, request: HttpRequest, pk: int) -> HttpResponse | FileResponse:
        """Hand out the result file as an attachment."""
        job = get_object_or_404(jobs_for(request), pk=pk)
        path = result_of(job)
        if path is None:
            raise Http404(_("This file is no longer kept. Run the job again."))
        audit.record(verb="download_job_file", obj=job, file=job.result_name)
        response = FileResponse(
            path.open("rb"),
            as_attachment=True,
            filename=job.result_name or path.name,
            content_type="application/octet-stream",
        )
        response["X-Content-Type-Options"] = "nosniff"
        return response

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Cancel the job on POST and return to its page."""
        job = get_object_or_404(jobs_for(request), pk=pk)
        if request.method == "POST":
            try:
                cancel_job(job_id=job.pk)
            except Refused as refusal:
                messages.warning(request, str(refusal))
        return redirect("admin:staff_job_page", job.pk)

    @display(description=gettext_lazy("job"), ordering="title")
    def shown_title(self, job: Job) -> str:
        return job.title

    @display(description=gettext_lazy("state"), ordering="state")
    def shown_state(self, job: Job) -> SafeString:
        return chip(job.get_state_display(), job_tone(job))

    @display(description=gettext_lazy("progress"))
    def progress(self, job: Job) -> str:
        if job.total:
            return bar(job.done, job.total, job_tone(job), label=job.title)
        return number(job.done) if job.done else "—"

    @display(description=gettext_lazy("started"), ordering="id")
    def shown_start(self, job: Job) -> str:
        return when(job.created_at)

    @display(description=gettext_lazy("ended"), ordering="finished_at")
    def shown_end(self, job: Job) -> str:
        return when(job.finished_at)
