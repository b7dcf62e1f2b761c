"""Orders and holds: lists to read."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin
from notifyhub.core.templatetags.nh import chip, money, when
from notifyhub.customers.models import Hold, Order
from notifyhub.customers.services.timeline import ORDER_TONES


def customer_link(obj: Any) -> SafeString:
    """Return a link to the customer of a row."""
    url = reverse("admin:customers_customer_change", args=[obj.customer_id])
    return format_html('<a class="nh-link" href="{}">{}</a>', url, obj.customer)


@admin.register(Order)
class OrderAdmin(LedgerAdmin):
    """Orders as the platform told them."""

    list_display = ("number", "customer_name", "line", "merchant", "city", "state_chip", "due", "placed")
    list_filter = ("line", "state")
    list_filter_sheet = True
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("number",)
    search_help_text = _("Order number")
    list_select_related = ("customer",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        term = search_term.replace("\x00", "").strip()
        return (queryset.filter(number__startswith=term) if term else queryset), False

    @display(description=_("customer"))
    def customer_name(self, obj: Order) -> SafeString:
        return customer_link(obj)

    @display(description=_("state"))
    def state_chip(self, obj: Order) -> SafeString:
        return chip(obj.get_state_display(), ORDER_TONES.get(Order.State(obj.state), "blue"))

    @display(description=_("amount due"))
    def due(self, obj: Order) -> str:
        return money(obj.amount_due, obj.currency)

    @display(description=_("placed at"))
    def placed(self, obj: Order) -> str:
        return when(obj.placed_at)


class InForceFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("over", _("Over")), ("all", _("All"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Hold]) -> QuerySet[Hold]:
        if self.value() == "all":
            return queryset
        now = queryset.in_force(timezone.now())  # type: ignore[attr-defined]
        return queryset.exclude(pk__in=now.values("pk")) if self.value() == "over" else now

    def choices(self, changelist: Any) -> Any:
        first, *rest = super().choices(changelist)
        return [{**first, "display": _("In force")}, *rest]


@admin.register(Hold)
class HoldAdmin(LedgerAdmin):
    """All holds; they are placed and released on the customer's page."""

    list_display = ("customer_name", "scope", "what", "reason", "placed", "ends", "state_chip")
    list_display_links = None
    list_filter = (InForceFilter, "scope")
    list_filter_sheet = True
    ordering = ("-pk",)
    sortable_by = ()
    list_select_related = ("customer",)

    @display(description=_("customer"))
    def customer_name(self, obj: Hold) -> SafeString:
        return customer_link(obj)

    @display(description=_("what is paused"))
    def what(self, obj: Hold) -> str:
        return obj.scope_value or "—"

    @display(description=_("placed at"))
    def placed(self, obj: Hold) -> str:
        return when(obj.placed_at)

    @display(description=_("ends at"))
    def ends(self, obj: Hold) -> str:
        return when(obj.ends_at)

    @display(description=_("state"))
    def state_chip(self, obj: Hold) -> SafeString:
        over = obj.released_at or (obj.ends_at and obj.ends_at <= timezone.now())
        return chip(_("over") if over else _("in force"), "grey" if over else "orange")
