"""What the buttons and fields of a segment page ask for: a row, a count, members, archiving."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifyhub.core.errors import Refused
from notifyhub.customers.admin.segments.pages import SegmentPage, SegmentView
from notifyhub.customers.admin.segments.rules import (
    Row,
    in_words,
    is_offered,
    read_rows,
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
    remove_members,
    restore_segment,
    sample_rule,
)
from notifyhub.customers.services.segments.counting import rule_of
from notifyhub.customers.services.traits import read_settings

SHOWN_UNKNOWN = 20


class Condition(SegmentView):
    """One more row for the form."""

    template_name = "customers/segment_row.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        name = request.GET.get("field", "")
        if not is_offered(name):
            raise Http404
        return self.render_to_response({"row": Row(name=name), "currency": read_settings().currency})


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
