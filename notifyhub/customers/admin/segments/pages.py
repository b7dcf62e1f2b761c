"""Making, reading and changing one segment."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic.base import TemplateResponseMixin

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.admin.filters import known_cities, known_tags
from notifyhub.customers.admin.segments.rules import (
    FIELDS,
    MAX_SEGMENTS,
    Row,
    field_groups,
    in_words,
    read_rows,
    rows_of_rule,
    rule_of_rows,
    segment_names,
)
from notifyhub.customers.admin.views import posted, read_number
from notifyhub.customers.models import Segment
from notifyhub.customers.services.segments import (
    create_segment,
    update_segment,
)
from notifyhub.customers.services.segments.counting import rule_of
from notifyhub.customers.services.traits import read_settings


class SegmentView(TemplateResponseMixin, PageMixin):
    """What the segment pages share."""

    permission_required: Any = "customers.view_segment"

    def get_segment(self) -> Segment:
        """Return the segment of the address, if the viewer may see it."""
        segment = self.model_admin.get_queryset(self.request).filter(pk=self.kwargs["pk"]).first()
        if segment is None:
            raise Http404
        return segment

    def trail(self, title: str) -> list[tuple[str, str]]:
        """Return the crumbs of a page below the list."""
        return [(_("Segments"), reverse("admin:customers_segment_changelist")), (title, "")]

    def form_context(self, rows: list[Row], join: str) -> dict[str, Any]:
        """Return what the rule form needs."""
        return {
            "rows": rows,
            "join": join,
            "fields": [(name, Row(name=name).label) for name in FIELDS],
            "groups": field_groups(),
            "currency": read_settings().currency,
            "cities": known_cities(),
            "known_tags": known_tags(),
        }


class SegmentAdd(SegmentView):
    """A new rule or list."""

    template_name = "customers/segment_form.html"
    permission_required = ("customers.view_segment", "customers.add_segment")

    def answer(self, rows: list[Row], join: str, status: int = 200, **extra: Any) -> HttpResponse:
        context = self.get_context_data(
            title=_("Add segment"), crumbs=self.trail(_("Add segment")), typed=self.request.POST, **extra
        )
        return self.render_to_response({**context, **self.form_context(rows, join)}, status=status)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer([Row(name="city")], "and")

    def post(self, request: HttpRequest) -> HttpResponse:
        rows, join = read_rows(request.POST)
        kind = posted(request, "kind")
        try:
            if kind == Segment.Kind.RULE and not rows:
                raise Refused(_("Add at least one condition."), field="rule")
            segment = create_segment(
                name=posted(request, "name"),
                kind=kind,
                rule=rule_of_rows(rows, join),
                owner=request.user,  # type: ignore[arg-type]
            )
        except Refused as refusal:
            return self.answer(rows, join, status=422, refusal=refusal)
        messages.success(request, _("%s is saved.") % segment)
        return redirect("admin:customers_segment_change", segment.pk)


class SegmentPage(SegmentView):
    """The rule or the members, the count with its age, and ten of the customers. POST saves."""

    template_name = "customers/segment.html"

    def answer(self, segment: Segment, status: int = 200, **extra: Any) -> HttpResponse:
        shown = rows_of_rule(segment.rule)
        rows, join = extra.pop("typed_rows", shown or ([], "and"))
        may_change = self.request.user.has_perm("customers.change_segment") and not segment.archived_at
        context = self.get_context_data(
            title=segment.name,
            crumbs=self.trail(segment.name),
            segment=segment,
            words=in_words(rule_of(segment), segment_names(rule_of(segment))),
            may_change=may_change,
            may_archive=self.request.user.has_perm("customers.change_segment"),
            foreign=shown is None,
            sources=self.sources(segment),
            **extra,
        )
        return self.render_to_response({**context, **self.form_context(rows, join)}, status=status)

    def sources(self, segment: Segment) -> list[Segment]:
        """Return the segments that can be copied onto a static list."""
        if segment.kind != Segment.Kind.STATIC:
            return []
        return list(Segment.objects.filter(archived_at=None).exclude(pk=segment.pk)[:MAX_SEGMENTS])

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.answer(self.get_segment())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm("customers.change_segment"):
            return self.handle_no_permission()
        segment = self.get_segment()
        rows, join = read_rows(request.POST)
        rule = None if posted(request, "foreign") else rule_of_rows(rows, join)
        try:
            if rule is not None and segment.kind == Segment.Kind.RULE and not rows:
                raise Refused(_("Add at least one condition."), field="rule")
            update_segment(
                segment_id=segment.pk,
                name=posted(request, "name"),
                rule=rule,
                version=read_number(posted(request, "version")),
            )
        except Conflict as conflict:
            extra = {"refusal": conflict, "typed": request.POST, "typed_rows": (rows, join)}
            return self.answer(segment, 409, **extra)
        except Refused as refusal:
            extra = {"refusal": refusal, "typed": request.POST, "typed_rows": (rows, join)}
            return self.answer(segment, 422, **extra)
        messages.success(request, _("The changes are saved."))
        return redirect("admin:customers_segment_change", segment.pk)
