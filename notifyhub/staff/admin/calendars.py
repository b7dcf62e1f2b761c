"""Business calendars: the list, a year at a glance, and what can be changed there."""

import calendar as months
from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import QuerySet
from django.db.models.functions import ExtractYear
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.dates import MONTHS_ALT
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin, PageMixin
from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.templatetags.nh import chip
from notifyhub.staff.models import BusinessCalendar, CalendarDay
from notifyhub.staff.services.calendars import years_entered
from notifyhub.staff.services.calendars.reading import FIRST_YEAR, LAST_YEAR, decode
from notifyhub.staff.services.calendars.writing import (
    clear_day,
    copy_year,
    create_calendar,
    import_days,
    set_day,
    update_calendar,
)

Weekday = BusinessCalendar.Weekday
SHORT = {
    1: gettext_lazy("Mo"), 2: gettext_lazy("Tu"), 3: gettext_lazy("We"), 4: gettext_lazy("Th"),
    5: gettext_lazy("Fr"), 6: gettext_lazy("Sa"), 7: gettext_lazy("Su"),
}  # fmt: skip


def number_in(text: str, low: int, high: int) -> int | None:
    """Return the number written in `text`, None unless it lies between the two."""
    if text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high:
        return int(text)
    return None


def read_day(text: str) -> date | None:
    """Return the day written like 2027-01-01, None for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


class CalendarView(PageMixin):
    """What the pages of one calendar share."""

    permission_required: Any = "staff.view_businesscalendar"

    def get_calendar(self) -> BusinessCalendar:
        """Return the calendar of the address."""
        found = self.model_admin.get_queryset(self.request).filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found

    def text(self, name: str) -> str:
        """Return a posted text without what PostgreSQL cannot store."""
        return self.request.POST.get(name, "").replace("\x00", "").strip()

    def crumbs_to(self, title: str) -> list[tuple[str, str]]:
        """Return the crumbs of a page below the list."""
        return [(_("Calendars"), reverse("admin:staff_businesscalendar_changelist")), (title, "")]


def grid_of(found: BusinessCalendar, year: int) -> tuple[list[dict[str, Any]], int]:
    """Return twelve months of weeks of days, and how many working days they have."""
    own = {row.day: row for row in CalendarDay.objects.filter(calendar=found, day__year=year)}
    today = timezone.localdate()
    working = 0
    grid = []
    for month in range(1, 13):
        weeks = []
        for week in months.Calendar().monthdatescalendar(year, month):
            cells: list[dict[str, Any] | None] = []
            for day in week:
                if day.month != month:
                    cells.append(None)
                    continue
                row = own.get(day)
                works = row.works if row else day.isoweekday() in found.weekdays
                working += works
                cells.append({"day": day, "works": works, "own": row, "today": day == today})
            weeks.append(cells)
        grid.append({"name": MONTHS_ALT[month], "weeks": weeks})
    return grid, working


class CalendarPage(CalendarView):
    """A year of twelve months."""

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        found = self.get_calendar()
        year = number_in(request.GET.get("year", ""), FIRST_YEAR, LAST_YEAR) or timezone.localdate().year
        return self.answer(found, year, chosen=read_day(request.GET.get("day", "")))

    def answer(self, found: BusinessCalendar, year: int, status: int = 200, **extra: Any) -> HttpResponse:
        """Return the page of a year."""
        entered = years_entered(found)
        grid, working = grid_of(found, year)
        chosen = extra.pop("chosen", None)
        own = CalendarDay.objects.filter(calendar=found, day=chosen).first() if chosen else None
        context = self.get_context_data(
            title=str(found),
            crumbs=self.crumbs_to(str(found)),
            calendar=found,
            year=year,
            before=year - 1 if year > FIRST_YEAR else None,
            following=year + 1 if year < LAST_YEAR else None,
            grid=grid,
            working=working,
            heads=SHORT.values(),
            weekdays=Weekday.choices,
            entered=entered,
            missing=year not in entered,
            chosen=chosen,
            chosen_own=own,
            others=BusinessCalendar.objects.exclude(pk=found.pk),
            may_change=self.request.user.has_perm("staff.change_businesscalendar"),
            **extra,
        )
        return render(self.request, "staff/calendar/page.html", context, status=status)


class CalendarAct(CalendarPage):
    """POST one change; refused, the page comes back with what was typed."""

    http_method_names = ["post"]
    permission_required = ("staff.view_businesscalendar", "staff.change_businesscalendar")

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        found, verb = self.get_calendar(), kwargs["verb"]
        act = getattr(self, f"do_{verb}", None)
        if act is None:
            raise Http404
        year = number_in(self.text("year"), FIRST_YEAR, LAST_YEAR) or timezone.localdate().year
        day = read_day(self.text("day"))
        year = day.year if day and FIRST_YEAR <= day.year <= LAST_YEAR else year
        version = number_in(self.text("version"), 0, 2**31 - 1)
        try:
            said = act(found, year, day, version)
        except Conflict as conflict:
            return self.answer(
                self.get_calendar(), year, 409, refusal=conflict, verb=verb, typed=request.POST
            )
        except Refused as refusal:
            return self.answer(found, year, 422, refusal=refusal, verb=verb, typed=request.POST)
        messages.success(request, said)
        address = reverse("admin:staff_businesscalendar_change", args=[found.pk])
        return redirect(f"{address}?year={year}")

    def do_day(self, found: BusinessCalendar, year: int, day: date | None, version: int | None) -> str:
        if day is None:
            raise Refused(_("Choose a day, like 2027-01-01."), field="day")
        what = self.text("what")
        if what == "weekday":
            clear_day(calendar_id=found.pk, day=day, version=version)
        elif what in ("work", "off"):
            name = self.text("name")
            set_day(calendar_id=found.pk, day=day, works=what == "work", name=name, version=version)
        else:
            raise Refused(_("Choose what the day is."), field="what")
        return _("%(day)s is changed.") % {"day": day.isoformat()}

    def do_import(self, found: BusinessCalendar, year: int, day: date | None, version: int | None) -> str:
        upload = self.request.FILES.get("file")
        text = decode(upload.read(300 * 1024)) if upload else self.text("text")
        n = import_days(calendar_id=found.pk, text=text, version=version)
        return ngettext("%(n)d day is entered.", "%(n)d days are entered.", n) % {"n": n}

    def do_copy(self, found: BusinessCalendar, year: int, day: date | None, version: int | None) -> str:
        source = number_in(self.text("source"), 1, 2**31 - 1) or 0
        n = copy_year(calendar_id=found.pk, source_id=source, year=year, version=version)
        return ngettext("%(n)d day is entered.", "%(n)d days are entered.", n) % {"n": n}

    def do_settings(self, found: BusinessCalendar, year: int, day: date | None, version: int | None) -> str:
        update_calendar(
            calendar_id=found.pk,
            name=self.text("name"),
            weekdays=posted_weekdays(self.request),
            default=bool(self.text("default")) or found.default,
            version=version,
        )
        return _("The changes are saved.")


def posted_weekdays(request: HttpRequest) -> list[int]:
    """Return the weekdays ticked."""
    found = [number_in(text, 1, 7) for text in request.POST.getlist("weekdays")]
    return [number for number in found if number]


class CalendarAdd(CalendarView):
    """Another calendar."""

    permission_required = ("staff.view_businesscalendar", "staff.add_businesscalendar")

    def answer(self, status: int = 200, **extra: Any) -> HttpResponse:
        """Return the form."""
        context = self.get_context_data(
            title=_("New calendar"),
            crumbs=self.crumbs_to(_("New calendar")),
            weekdays=Weekday.choices,
            calendars=BusinessCalendar.objects.all(),
            ticked=extra.pop("ticked", [1, 2, 3, 4, 5]),
            **extra,
        )
        return render(self.request, "staff/calendar/add.html", context, status=status)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.answer()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        ticked = posted_weekdays(request)
        source = BusinessCalendar.objects.filter(pk=number_in(self.text("source"), 1, 2**31 - 1) or 0).first()
        try:
            made = create_calendar(name=self.text("name"), weekdays=ticked, copy_of=source)
        except Refused as refusal:
            return self.answer(422, refusal=refusal, typed=request.POST, ticked=ticked)
        messages.success(request, _("%s is saved.") % made)
        return redirect("admin:staff_businesscalendar_change", made.pk)


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(LedgerAdmin):
    """All calendars."""

    list_display = ("shown_name", "days", "years", "chosen")
    ordering = ("-default", "name")
    sortable_by = ()
    change_list_template = "staff/calendar/list.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("staff.add_businesscalendar"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[BusinessCalendar]:
        years = ArrayAgg(ExtractYear("days__day"), distinct=True)
        return super().get_queryset(request).annotate(entered=years)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return CalendarAdd.as_view(model_admin=self)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        if not object_id.isdecimal() or len(object_id) > 18:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return CalendarPage.as_view(model_admin=self)(request, pk=int(object_id))

    def get_urls(self) -> list[Any]:
        act = self.admin_site.admin_view(CalendarAct.as_view(model_admin=self))
        own = path("<int:pk>/do/<str:verb>/", act, name="staff_businesscalendar_act")
        return [own, *super().get_urls()]

    @display(description=gettext_lazy("name"))
    def shown_name(self, found: BusinessCalendar) -> str:
        return str(found)

    @display(description=gettext_lazy("working weekdays"))
    def days(self, found: BusinessCalendar) -> str:
        return " ".join(str(SHORT[number]) for number in found.weekdays)

    @display(description=gettext_lazy("years entered"))
    def years(self, found: Any) -> str:
        years = sorted(year for year in found.entered if year)
        if len(years) > 2 and years[-1] - years[0] == len(years) - 1:
            return f"{years[0]}–{years[-1]}"
        return ", ".join(map(str, years)) or "—"

    @display(description=gettext_lazy("default"))
    def chosen(self, found: BusinessCalendar) -> SafeString | str:
        return chip(_("default"), "violet") if found.default else "—"
