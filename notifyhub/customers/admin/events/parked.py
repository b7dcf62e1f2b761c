"""Events that were put aside: who waits, what is wrong, and what to do about it."""

from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.customers.admin.events.base import EventPage, PagesAdmin
from notifyhub.customers.admin.views import posted, read_number
from notifyhub.customers.models import ParkedEvent
from notifyhub.customers.services.events.names import current_names
from notifyhub.customers.services.events.parking import event_of
from notifyhub.customers.services.events.people import current_policy
from notifyhub.customers.services.events.recording import why_not
from notifyhub.customers.services.events.showing import masks_of, shown_properties
from notifyhub.customers.services.events.waiting import discard_parked, retry_parked
from notifyhub.customers.words import event_words

PER_PAGE = 50
MOST = 10_001
TONES = {"waiting": "orange", "taken": "green", "discarded": "grey"}
WHY_TONES = {"unknown": "blue", "anonymous": "grey", "refused": "red"}


class ParkedList(EventPage):
    """Fifty a page by key, newest first; filtered by why, state, source and name."""

    template_name = "customers/events/parked.html"
    permission_required = "customers.view_parkedevent"
    title = gettext_lazy("Events put aside")

    def chosen(self) -> dict[str, str]:
        """Return the filters of the address that mean something."""
        asked = self.request.GET
        why, state = asked.get("why", ""), asked.get("state", "waiting")
        return {
            "why": why if why in ParkedEvent.Why.values else "",
            "state": state if state in ParkedEvent.State.values else "",
            "source": asked.get("source", "").replace("\x00", "")[:40],
            "name": asked.get("name", "").replace("\x00", "").strip()[:80],
        }

    def rows(self, chosen: dict[str, str]) -> QuerySet[ParkedEvent]:
        rows = ParkedEvent.objects.order_by("-pk")
        for field in ("why", "state"):
            if chosen[field]:
                rows = rows.filter(**{field: chosen[field]})
        if chosen["source"]:
            rows = rows.filter(source__startswith=chosen["source"])
        if chosen["name"]:
            rows = rows.filter(name__startswith=chosen["name"])
        return rows

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer()

    def answer(self, status: int = 200, **extra: Any) -> HttpResponse:
        chosen = self.chosen()
        rows = self.rows(chosen)
        before = read_number(self.request.GET.get("before"))
        page = list((rows.filter(pk__lt=before) if before else rows)[: PER_PAGE + 1])
        shown = page[:PER_PAGE]
        names = current_names()
        ours = {row.name: names.ours(row.name, {})[0] for row in shown}
        masks = masks_of(ours.values())
        waiting = ParkedEvent.objects.filter(state=ParkedEvent.State.WAITING)
        counts = dict(waiting.order_by().values_list("why").annotate(n=Count("pk")))
        context = self.get_context_data(
            crumbs=[(self.title, "")],
            rows=[shown_parked(row, ours[row.name], masks) for row in shown],
            after=shown[-1].pk if len(page) > PER_PAGE else None,
            chosen=chosen,
            whys=ParkedEvent.Why,
            states=ParkedEvent.State,
            counts=[(why, ParkedEvent.Why(why).label, counts.get(why, 0)) for why in ParkedEvent.Why.values],
            sources=sorted(
                {
                    source.partition(":")[0]
                    for source in waiting.order_by().values_list("source", flat=True).distinct()[:50]
                }
            ),
            policy=current_policy(),
            may_write=self.may("change_parkedevent"),
            **extra,
        )
        return self.render_to_response(context, status=status)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Try the ticked ones again, or discard them with a reason."""
        if not self.may("change_parkedevent"):
            return self.handle_no_permission()
        ids = [number for text in request.POST.getlist("row")[:PER_PAGE] if (number := read_number(text))]
        try:
            if not ids:
                raise Refused(_("Tick at least one event."))
            if posted(request, "do") == "discard":
                done = discard_parked(ids=ids, reason=posted(request, "reason"))
                messages.success(request, _("%d discarded. What was told is deleted.") % done)
            else:
                taken = retry_parked(ids=ids)
                say = messages.success if taken == len(ids) else messages.warning
                say(request, _("%(taken)d of %(tried)d were taken.") % {"taken": taken, "tried": len(ids)})
        except Refused as refusal:
            return self.answer(422, refusal=refusal, typed=request.POST, ticked=ids)
        return redirect(f"{reverse('admin:customers_parkedevent_changelist')}?{request.GET.urlencode()}")


def shown_parked(row: ParkedEvent, name: str, masks: Any) -> dict[str, Any]:
    """Return a row as the page shows it; the reason in the reader's language where it can be told again."""
    told = row.payload
    field, reason = row.field, _(row.reason) if row.reason else ""
    if row.why == ParkedEvent.Why.REFUSED and told:
        try:
            wrong = why_not(replace(event_of(told), source="")) if "message" not in told else None
        except Refused as refusal:
            field, reason = refusal.field or field, str(refusal)
        else:
            if wrong is not None and wrong.field == row.field:
                reason = wrong.message
    message = told.get("message") if isinstance(told.get("message"), dict) else {}
    said = told.get("properties") or (message or {}).get("properties") or {}
    return {
        "row": row,
        "words": event_words(row.name) if row.name else _("unreadable"),
        "tone": TONES[row.state],
        "why_tone": WHY_TONES[row.why],
        "field": field,
        "reason": reason,
        "properties": shown_properties(name, said, masks, most=6),
    }


@admin.register(ParkedEvent)
class ParkedEventAdmin(PagesAdmin):
    """The list of what was put aside."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        return ParkedList.as_view(model_admin=self)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return redirect("admin:customers_parkedevent_changelist")
