"""Trying a rule on one customer: what would happen, when, and why."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from notifyhub.core.admin import PageMixin
from notifyhub.customers.models import Customer
from notifyhub.customers.services.search import find_customers
from notifyhub.reminders.models import ReminderRule
from notifyhub.reminders.services.trying import try_rule

CHOICES = 8


class TryRule(PageMixin):
    """Answers a posted number or phone with the customer's outcomes, or with the customers it may mean.

    Posted, so that no phone number lands in a URL or a log; it writes nothing.
    """

    permission_required = ("reminders.view_reminderrule", "customers.view_customer")
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule = get_object_or_404(ReminderRule, pk=pk)
        term, chosen = request.POST.get("q", ""), request.POST.get("customer", "")
        if chosen.isdecimal() and len(chosen) < 19:
            found = list(Customer.objects.filter(pk=int(chosen), state=Customer.State.ACTIVE))
        else:
            found = find_customers(text=term, limit=CHOICES + 1)
            # A whole customer number means one person, whoever's name begins with it.
            found = [one for one in found if one.external_id == term.strip()] or found
        context: dict[str, Any] = {"rule": rule, "term": term.strip(), "found": found[:CHOICES]}
        context["more"] = len(found) > CHOICES
        if len(found) == 1:
            context["customer"] = found[0]
            context["outcomes"] = try_rule(rule=rule, customer=found[0])
        return render(request, "reminders/tried.html", context)
