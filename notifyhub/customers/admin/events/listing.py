"""The catalogue: every event that comes, how many, and what is said of it."""

from datetime import date, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.customers.admin.events.base import EventPage, PagesAdmin
from notifyhub.customers.admin.events.details import EventDetails, PropertyPage
from notifyhub.customers.admin.events.importing import IMPORT_PAGES
from notifyhub.customers.admin.views import posted
from notifyhub.customers.models import EventDay, EventName
from notifyhub.customers.services.events.catalogue import add_event_name
from notifyhub.customers.words import event_words

DAYS = 14
PER_PAGE = 50
SHOWN = {
    "": gettext_lazy("All"),
    "seen": gettext_lazy("Seen"),
    "never": gettext_lazy("Never seen"),
    "odd": gettext_lazy("Unexpected types"),
}
COLUMNS = {"text": "texts", "number": "numbers", "boolean": "booleans", "list": "lists", "object": "records"}


def odd_properties() -> Q:
    """Return the condition of names with a property that came in another type than is expected of it."""
    found = Q()
    for expected, own in COLUMNS.items():
        others = Q()
        for column in COLUMNS.values():
            if column != own:
                others |= Q(**{f"properties__{column}__gt": 0})
        found |= Q(properties__expected=expected) & others
    return found


def daily_counts(ids: list[int], today: date) -> dict[int, list[int]]:
    """Return the events of each of the last fourteen days, oldest first, by event; one query."""
    first = today - timedelta(days=DAYS - 1)
    found = {pk: [0] * DAYS for pk in ids}
    rows = EventDay.objects.filter(event_id__in=ids, day__gte=first, day__lte=today)
    for event_id, day, count in rows.values_list("event_id", "day", "count"):
        found[event_id][(day - first).days] = count
    return found


class CataloguePage(EventPage):
    """The names with their numbers; a search by the beginning of a name, fifty a page."""

    template_name = "customers/events/catalogue.html"
    title = gettext_lazy("Event catalogue")

    def rows(self) -> QuerySet[EventName]:
        rows = EventName.objects.select_related("owner", "owner_team")
        text = self.request.GET.get("q", "").replace("\x00", "").strip().lower()[:80]
        if text:
            rows = rows.filter(Q(name__contains=text) | Q(purpose__icontains=text))
        show = self.request.GET.get("show", "")
        if show == "seen":
            rows = rows.filter(total__gt=0)
        elif show == "never":
            rows = rows.filter(total=0)
        elif show == "odd":
            rows = rows.filter(pk__in=EventName.objects.filter(odd_properties()).values("pk"))
        return rows.annotate(odd=Count("properties", filter=odd_properties())).order_by("-total", "name")

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer()

    def answer(self, status: int = 200, **extra: Any) -> HttpResponse:
        page = Paginator(self.rows(), PER_PAGE).get_page(self.request.GET.get("page"))
        names = list(page.object_list)
        today = timezone.localdate()
        days = daily_counts([row.pk for row in names], today)
        context = self.get_context_data(
            crumbs=[(_("Event catalogue"), "")],
            page=page,
            rows=[(row, event_words(row.name), days[row.pk], days[row.pk][-1]) for row in names],
            shown=SHOWN,
            show=self.request.GET.get("show", ""),
            query=self.request.GET.get("q", ""),
            **extra,
        )
        return self.render_to_response(context, status=status)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Write a name down before it comes."""
        if not self.may("change_eventname"):
            return self.handle_no_permission()
        try:
            row = add_event_name(name=posted(request, "name"), purpose=posted(request, "purpose"))
        except Refused as refusal:
            return self.answer(422, refusal=refusal, typed=request.POST)
        messages.success(request, _("%s is in the catalogue. It is filled as soon as it comes.") % row.name)
        return redirect("admin:customers_eventname_change", row.pk)


@admin.register(EventName)
class EventNameAdmin(PagesAdmin):
    """The catalogue and all pages below it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        return CataloguePage.as_view(model_admin=self)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        if not object_id.isdecimal() or len(object_id) > 18:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return EventDetails.as_view(model_admin=self)(request, pk=int(object_id))

    def get_urls(self) -> list[Any]:
        views = {"property/<int:pk>/": ("eventproperty", PropertyPage), **IMPORT_PAGES}
        own = [
            path(
                address, self.admin_site.admin_view(view.as_view(model_admin=self)), name=f"customers_{name}"
            )
            for address, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]
