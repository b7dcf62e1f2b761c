"""Making, reading and changing one segment."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic.base import TemplateResponseMixin

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.admin.filters import known_cities, known_tags
from notifyhub.customers.admin.segments.rules import (
    FIELDS,
    MAX_SEGMENTS,
    Row,
    in_words,
    read_rows,
    rows_of_rule,
    rule_of_rows,
    segment_names,
)
from notifyhub.customers.admin.views import posted, read_number
from notifyhub.customers.models import Segment
from notifyhub.customers.services.segments import (
    add_members,
    add_members_by_rule,
    archive_segment,
    count_rule,
    count_segment,
    create_segment,
    remove_members,
    restore_segment,
    sample_rule,
    update_segment,
)
from notifyhub.customers.services.segments.counting import rule_of

SHOWN_UNKNOWN = 20


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


class Condition(SegmentView):
    """One more row for the form."""

    template_name = "customers/segment_row.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        name = request.GET.get("field", "")
        if name not in FIELDS:
            raise Http404
        return self.render_to_response({"row": Row(name=name)})


class Preview(SegmentView):
    """POST the form: how many match and ten of them, masked. Nothing is saved."""

    http_method_names = ["post"]
    template_name = "customers/segment_preview.html"
    permission_required = ("customers.view_segment", "customers.view_customer")

    def post(self, request: HttpRequest) -> HttpResponse:
        rows, join = read_rows(request.POST)
        # A condition that is still being written does not count yet.
        rows = [row for row in rows if row.values]
        return self.render_to_response(self.preview(rule_of_rows(rows, join), bool(rows)))

    def preview(self, rule: dict[str, Any], any_row: bool) -> dict[str, Any]:
        """Return count, sample and words, or the refusal in their place."""
        if not any_row:
            return {"nothing": True}
        try:
            return {
                "count": count_rule(rule=rule),
                "sample": sample_rule(rule=rule),
                "words": in_words(rule, segment_names(rule)),
            }
        except Refused as refusal:
            return {"refusal": refusal}


class Recount(SegmentView):
    """POST: count now, keep number and time, show ten customers."""

    http_method_names = ["post"]
    template_name = "customers/segment_preview.html"
    permission_required = ("customers.view_segment", "customers.view_customer")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        segment = self.get_segment()
        context: dict[str, Any] = {"segment": segment}
        try:
            context["count"] = count_segment(segment_id=segment.pk)
            context["sample"] = sample_rule(rule=rule_of(segment))
        except Refused as refusal:
            context["refusal"] = refusal
        return self.render_to_response(context)


class Members(SegmentView):
    """POST: add or remove pasted numbers, or add everybody of a rule segment as they are now."""

    http_method_names = ["post"]
    permission_required = ("customers.view_segment", "customers.change_segment")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        segment = self.get_segment()
        text = posted(request, "numbers")
        try:
            if posted(request, "act") == "remove":
                done = remove_members(segment_id=segment.pk, text=text)
                said = ngettext("%d customer left the list.", "%d customers left the list.", done.added)
            elif posted(request, "act") == "snapshot":
                source = Segment.objects.filter(pk=read_number(posted(request, "source"))).first()
                if source is None:
                    raise Refused(_("Choose a segment."), field="source")
                done = add_members_by_rule(segment_id=segment.pk, rule=rule_of(source))
                said = ngettext("%d customer was added.", "%d customers were added.", done.added)
            else:
                done = add_members(segment_id=segment.pk, text=text)
                said = ngettext("%d customer was added.", "%d customers were added.", done.added)
        except Refused as refusal:
            page = SegmentPage(model_admin=self.model_admin)
            page.setup(request, pk=pk)
            return page.answer(segment, 422, members_refusal=refusal, typed_numbers=text)
        messages.success(request, said % done.added)
        if done.unknown:
            shown = ", ".join(done.unknown[:SHOWN_UNKNOWN])
            more = len(done.unknown) - SHOWN_UNKNOWN
            tail = _(" and %d more") % more if more > 0 else ""
            messages.warning(request, _("No customer has these numbers: %s") % (shown + tail))
        return redirect("admin:customers_segment_change", segment.pk)


class Archive(SegmentView):
    """POST: retire the segment, or take it back into use."""

    http_method_names = ["post"]
    permission_required = ("customers.view_segment", "customers.change_segment")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        segment = self.get_segment()
        try:
            if segment.archived_at:
                restore_segment(segment_id=pk)
                messages.success(request, _("%s is in use again.") % segment)
            else:
                archive_segment(segment_id=pk)
                messages.success(request, _("%s is archived.") % segment)
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect("admin:customers_segment_change", pk)
