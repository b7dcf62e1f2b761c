"""What staff do with what waits on a customer's page; each view calls one service and goes back there.

There is no list of its own: what waits is on its customer's page, what went is on its digest's.
"""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer, Topic
from notifyhub.messaging.services.digests.hand import drop_waiting, send_waiting_now
from notifyhub.messaging.services.digests.wishes import STAFF, set_wish

STEER = ("customers.view_customer", "messaging.steer_digest")


class Act(PageMixin):
    """A POST about one customer that ends on their page again, with a word on what happened."""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        customer = get_object_or_404(Customer, pk=pk)
        try:
            messages.success(request, self.act(request, customer))
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect("admin:customers_customer_change", customer.pk)

    def act(self, request: HttpRequest, customer: Customer) -> str:
        """Do it; return what to say."""
        raise Http404


def named(request: HttpRequest) -> list[int]:
    """Return the waiting messages that the form names; what is no number is none."""
    given = request.POST.get("items", "")[:20_000].split(",")
    return [int(one) for one in given if one.isdecimal() and len(one) < 18]


class SendNow(Act):
    """Sends a bucket before its time."""

    permission_required = STEER

    def act(self, request: HttpRequest, customer: Customer) -> str:
        made = send_waiting_now(customer_id=customer.pk, ids=named(request))
        if not made:
            return _("Nothing of it was still due, so nothing is sent.")
        return _("It is sent now, in place of the time it was waiting for.")


class Drop(Act):
    """Leaves waiting messages out for good."""

    permission_required = STEER

    def act(self, request: HttpRequest, customer: Customer) -> str:
        dropped = drop_waiting(
            customer_id=customer.pk, ids=named(request), reason=request.POST.get("reason", "")[:200]
        )
        said = ngettext("%d message was dropped.", "%d messages were dropped.", dropped)
        return said % dropped


class ChangeWish(Act):
    """Writes down how often the customer wants a topic."""

    permission_required = ("customers.view_customer", "messaging.change_digestwish")

    def act(self, request: HttpRequest, customer: Customer) -> str:
        number = request.POST.get("topic", "")
        known = number.isdecimal() and len(number) < 10
        topic = Topic.objects.filter(pk=int(number), active=True).first() if known else None
        if topic is None:
            raise Refused(_("Choose a topic."), field="topic")
        wish = request.POST.get("wish", "")
        if set_wish(customer_id=customer.pk, topic=topic, wish=wish, source=STAFF):
            return _("Saved. It holds for messages from now on.")
        return _("Nothing to change.")


# By the end of their addresses.
ACTS = {"send": SendNow, "drop": Drop, "wish": ChangeWish}
