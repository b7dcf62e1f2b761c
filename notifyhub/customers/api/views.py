"""Customers and events, one or many a request."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifyhub.core.problems import flat, problem
from notifyhub.customers.api import schema as schema
from notifyhub.customers.api import serializers as shapes
from notifyhub.customers.api.finding import find_customer
from notifyhub.customers.api.parsing import BoundedJSONParser
from notifyhub.customers.api.reading import read_event
from notifyhub.customers.models import Customer
from notifyhub.customers.services.events import EventIn, EventsResult, record_events
from notifyhub.customers.services.importing.problems import reason_of
from notifyhub.customers.services.upsert import CustomerRow, Outcome, upsert_customers
from notifyhub.staff.idempotency import IdempotentMixin
from notifyhub.staff.services import audit

ItemErrors = list[dict[str, Any]]
_PROBLEMS = shapes.problems(400, 409, 413, 415, 422)


class CustomersView(IdempotentMixin, APIView):
    """Create or change customers."""

    required_scope = "customers:write"
    parser_classes = (BoundedJSONParser,)

    @extend_schema(
        operation_id="customers_upsert",
        tags=["customers"],
        request=PolymorphicProxySerializer(
            component_name="CustomerOrCustomers",
            serializers=[shapes.CustomerInSerializer, shapes.CustomerInSerializer(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
        responses={200: shapes.CustomersResultSerializer, **_PROBLEMS},
        summary="Create or change one customer, or a list of up to 1000",
        description=(
            "A customer is found by external_id, else by phone, else by email. What an item leaves out stays "
            "as it is. One bad item does not hold up the others."
        ),
    )
    def post(self, request: Request) -> Response:
        """Return the counts; a list with nothing usable, or one bad customer, is a problem."""
        items = _items(request.data)
        rows: list[CustomerRow] = []
        errors: ItemErrors = []
        for index, item in enumerate(items):
            serializer = shapes.CustomerInSerializer(data=item)
            if serializer.is_valid():
                rows.append(serializer.as_row(index))
            else:
                errors.append({"index": index, "errors": flat(serializer.errors)})
        outcome = upsert_customers(rows=rows, then=_audit_upsert) if rows else Outcome()
        for refused in outcome.problems:
            sentence = reason_of(refused.code, refused.params)
            errors.append({"index": refused.line, "errors": {refused.column or "external_id": [sentence]}})
        if len(errors) == len(items):
            return _nothing_taken(errors, single=isinstance(request.data, dict))
        return Response(
            {
                "created": outcome.created,
                "updated": outcome.updated,
                "unchanged": outcome.unchanged,
                "repeated": len(outcome.repeats),
                "errors": sorted(errors, key=lambda error: error["index"]),
            }
        )


class CustomerView(APIView):
    """Read one customer."""

    required_scope = "customers:read"

    @extend_schema(
        operation_id="customers_read",
        tags=["customers"],
        responses={
            200: shapes.CustomerSerializer,
            **shapes.problems(404),
        },
        summary="Read one customer, phone and email masked",
    )
    def get(self, request: Request, external_id: str) -> Response:
        """Return the customer with this number; one that was merged is answered with who it became."""
        rows = Customer.objects.prefetch_related("contact_points", "consents__topic")
        row = find_customer(external_id, rows=rows)
        return Response(shapes.CustomerSerializer(row).data)


class EventsView(IdempotentMixin, APIView):
    """Take events in."""

    required_scope = "events:write"
    parser_classes = (BoundedJSONParser,)

    @extend_schema(
        operation_id="events_record",
        tags=["events"],
        request=PolymorphicProxySerializer(
            component_name="EventOrBatch",
            serializers=[shapes.EventInSerializer, shapes.EventBatchSerializer],
            resource_type_field_name=None,
        ),
        responses={202: shapes.EventsResultSerializer, **_PROBLEMS},
        summary="Record one event, or a batch of up to 1000",
        description=(
            "Each message_id is taken once, so a request may be repeated. Unknown customers are created as "
            "provisional. Events like order_placed, order_paid, booking_confirmed, order_completed, "
            "order_cancelled, order_refunded move the order they name; what happened later goes before what "
            "happened earlier, in whatever order they arrive."
        ),
    )
    def post(self, request: Request) -> Response:
        """Return 202 with the counts once the events are committed."""
        data: Any = request.data
        key: Any = request.auth
        batch = isinstance(data, dict) and "batch" in data
        items = _items(data["batch"] if batch else data)
        events: list[EventIn] = []
        places: list[int] = []
        errors: ItemErrors = []
        for index, item in enumerate(items):
            event, wrong = read_event(item, source=f"api:{key.prefix}")
            if event is None:
                errors.append({"index": index, "errors": flat(wrong)})
            else:
                events.append(event)
                places.append(index)
        result = record_events(events) if events else EventsResult()
        errors += [
            {"index": places[p.index], "errors": {p.field or "non_field_errors": [p.message]}}
            for p in result.problems
        ]
        if len(errors) == len(items):
            return _nothing_taken(errors, single=not batch and isinstance(data, dict))
        body = {
            "accepted": result.accepted,
            "repeated": result.repeated,
            "parked": result.parked,
            "customers_created": result.customers_created,
            "errors": sorted(errors, key=lambda error: error["index"]),
        }
        return Response(body, status=202)


def _items(data: Any) -> list[Any]:
    """Return the items of a body, at most 1000; raise ValidationError if it is neither object nor list."""
    items = data if isinstance(data, list) else [data]
    if not items or not all(isinstance(item, dict) for item in items):
        raise ValidationError(_("Send an object, or a list of objects."))
    if len(items) > shapes.MAX_ITEMS:
        raise ValidationError(_("Send at most %d items a request.") % shapes.MAX_ITEMS)
    return items


def _nothing_taken(errors: ItemErrors, *, single: bool) -> Response:
    return problem(
        status_code=422,
        title=_("Not accepted"),
        detail=_("Some fields need attention.") if single else _("No item of the list can be used."),
        errors=errors[0]["errors"] if single else {str(e["index"]): e["errors"] for e in errors[:100]},
    )


def _audit_upsert(outcome: Outcome, _people: Any) -> None:
    audit.record(
        verb="upsert_customers",
        object_type="customers.customer",
        created=outcome.created,
        updated=outcome.updated,
        unchanged=outcome.unchanged,
        ids=sorted(outcome.changed)[:100],
    )
