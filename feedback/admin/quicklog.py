"""Logging a call: one page, also shown as a dialog from anywhere."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from feedback.admin.base import ServicePage, is_htmx
from feedback.models import Case, Category
from feedback.services.intake import likely_orders, log_case, open_duplicates, read_caller
from feedback.services.notes import log_call
from feedback.services.triage import RAISING
from notifyhub.core.errors import Refused
from notifyhub.core.numbers import read_number
from notifyhub.customers.models import ContactPoint, Customer, Order
from notifyhub.customers.services.search import find_customers

LIKELY_WITHIN = timedelta(hours=48)
MATCHES = 5
LONGEST_CALL = timedelta(hours=4)


def show_matches(customers: list[Customer]) -> list[dict[str, Any]]:
    """Return what a match shows: phone masked, open cases, last order; three queries for all."""
    ids = [customer.pk for customer in customers]
    phones = dict(
        ContactPoint.objects.filter(
            customer_id__in=ids, kind=ContactPoint.Kind.PHONE, primary=True
        ).values_list("customer_id", "masked")
    )
    open_cases = dict(
        Case.objects.open().filter(customer_id__in=ids).values_list("customer_id").annotate(n=Count("pk"))
    )
    orders: dict[int, Order] = {}
    for order in (
        Order.objects.filter(customer_id__in=ids)
        .order_by("customer_id", "-placed_at")
        .distinct("customer_id")
    ):
        orders[order.customer_id] = order
    return [
        {
            "customer": customer,
            "phone": phones.get(customer.pk, "—"),
            "open": open_cases.get(customer.pk, 0),
            "order": orders.get(customer.pk),
        }
        for customer in customers
    ]


class LogMixin(ServicePage):
    """Who may log, and what the form starts with."""

    permission_required = "feedback.add_case"

    def caller_context(self, customer_id: int | None, phone: str, order: str = "") -> dict[str, Any]:
        """Return open cases and orders of the chosen caller."""
        now = timezone.now()
        orders = likely_orders(customer_id=customer_id, now=now) if customer_id else []
        likely = next(
            (row.number for row in orders if row.placed_at and now - row.placed_at <= LIKELY_WITHIN), ""
        )
        return {
            "duplicates": open_duplicates(customer_id=customer_id, phone=phone),
            "orders": orders,
            "order_number": order or likely,
            "may_attach": self.request.user.has_perm("feedback.change_case"),
        }


class LogPage(LogMixin):
    """GET shows the form, alone for the dialog; one POST logs the case or adds the call to an open one."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        chosen = read_number(request.GET.get("customer", ""))
        customer = Customer.objects.filter(pk=chosen, state=Customer.State.ACTIVE).first() if chosen else None
        values = {"call_started_at": timezone.now().isoformat()}
        return self.show(values=values, customer=customer)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        values = {name: str(value) for name, value in request.POST.items()}
        try:
            case = self.attach(values) if values.get("attach") else self.log(values)
        except Refused as refusal:
            chosen = read_number(values.get("customer", ""))
            customer = Customer.objects.filter(pk=chosen).first() if chosen else None
            return self.show(values=values, customer=customer, refusal=refusal, status=422)
        url = reverse("admin:feedback_case_change", args=[case.pk])
        if values.get("then") == "next":
            url = reverse("admin:feedback_case_add")
            if is_htmx(request):
                fresh = {"call_started_at": timezone.now().isoformat()}
                return self.show(values=fresh, customer=None, logged=case)
        if is_htmx(request):
            return HttpResponse(status=204, headers={"HX-Redirect": url})
        return redirect(url)

    def log(self, values: dict[str, str]) -> Case:
        """Log the case from what was typed."""
        return log_case(
            actor=self.request.user,  # type: ignore[arg-type]
            phone=values.get("phone", ""),
            customer_id=read_number(values.get("customer", "")),
            category_id=read_number(values.get("category", "")),
            summary=values.get("summary", ""),
            detail=values.get("detail", ""),
            kind=values.get("kind") or Case.Kind.COMPLAINT,
            order_number=values.get("order_number", ""),
            caller_relation=values.get("caller_relation") or Case.Caller.SELF,
            remedy_sought=values.get("remedy_sought", ""),
            call_started_at=_call_start(values.get("call_started_at", "")),
        )

    def attach(self, values: dict[str, str]) -> Case:
        """Write the call down in an open case instead of opening another."""
        pk = read_number(values["attach"])
        case = Case.objects.visible_to(self.request.user).filter(pk=pk or 0).first()
        if case is None:
            raise Refused(gettext("This case cannot be found any more. Log a new one."), field="phone")
        said = "\n".join(
            part for part in (values.get("summary", ""), values.get("detail", "")) if part.strip()
        )
        if not said.strip():
            raise Refused(
                gettext("Write in one line what the caller says; it is added to that case."), field="summary"
            )
        log_call(case_id=case.pk, actor=self.request.user, body=said)  # type: ignore[arg-type]
        return case

    def show(
        self,
        *,
        values: dict[str, str],
        customer: Customer | None,
        refusal: Refused | None = None,
        logged: Case | None = None,
        status: int = 200,
    ) -> HttpResponse:
        """Answer with the form: a page, or the inside of the dialog for htmx."""
        categories = Category.objects.filter(level=1, active=True, digit__isnull=False).order_by("digit")
        context: dict[str, Any] = {
            "values": values,
            "matches": show_matches([customer]) if customer else [],
            "customer": customer,
            "categories": list(categories),
            "kinds": [choice for choice in Case.Kind.choices if choice[0] != Case.Kind.REGULATOR],
            "callers": Case.Caller.choices,
            "remedies": Case.Remedy.choices,
            "error": {refusal.field or "": str(refusal)} if refusal else {},
            "error_field": (refusal.field or "form") if refusal else "",
            "error_text": str(refusal) if refusal else "",
            "words": RAISING,
            "logged": logged,
            **self.caller_context(
                customer.pk if customer else None, values.get("phone", ""), values.get("order_number", "")
            ),
        }
        if is_htmx(self.request):
            return render(self.request, "feedback/log_form.html", {**context, "dialog": True}, status=status)
        context |= {"title": _("Log a call"), "crumbs": [*self.base_crumbs(), (_("Log a call"), "")]}
        return render(self.request, "feedback/log_page.html", self.get_context_data(**context), status=status)


def _call_start(text: str) -> datetime | None:
    """Return when the call began; a form left open overnight does not make a long call."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    if moment is None or timezone.is_naive(moment) or timezone.now() - moment > LONGEST_CALL:
        return None
    return moment


class CallerLookup(LogMixin):
    """Matches for what was typed so far; posted, so that the number stays out of URLs and logs."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        text = request.POST.get("phone", "").strip()[:40]
        began = timezone.now()
        found = find_customers(text=text, limit=MATCHES) if len(text) >= 4 else []
        state, masked = "", ""
        try:
            caller = read_caller(text)
        except Refused:
            caller = None
        if caller is not None:
            state, masked = ("new" if caller.value else "unverified"), caller.masked
        context = {
            "matches": show_matches(found),
            "typed": text,
            "state": state,
            "masked": masked,
            "took": (timezone.now() - began).total_seconds(),
        }
        return render(request, "feedback/log_matches.html", context)


class CallerContext(LogMixin):
    """Open cases and likely orders of the chosen caller."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        customer_id = read_number(request.POST.get("customer", ""))
        context = self.caller_context(customer_id, request.POST.get("phone", ""))
        return render(request, "feedback/log_side.html", context)
