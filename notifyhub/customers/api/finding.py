"""The customer that an address names."""

from django.db.models import QuerySet
from django.http import Http404

from notifyhub.customers.models import Customer


def find_customer(external_id: str, *, rows: QuerySet[Customer] | None = None) -> Customer:
    """Return the customer with this number; one that was merged is answered with who it became.

    Raises Http404 where there is none, or none any more.
    """
    rows = Customer.objects.all() if rows is None else rows
    # PostgreSQL keeps no null character, so no number holds one.
    row = None if "\x00" in external_id else rows.filter(external_id=external_id).first()
    while row is not None and row.merged_into_id is not None:
        row = rows.filter(pk=row.merged_into_id).first()
    if row is None or row.state == Customer.State.ERASED:
        raise Http404
    return row
