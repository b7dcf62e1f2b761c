"""Why a row was not taken, in the reader's language, and the file that lists them."""

import csv
from collections.abc import Callable, Iterator
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from notifyhub.core.contact import mask_email
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing.columns import CUSTOMER_COLUMNS
from notifyhub.customers.services.importing.sniffing import ENCODINGS

REASONS: dict[str, Any] = {
    "encoding": gettext_lazy("This line is not readable as %(encoding)s. Save it in one encoding."),
    "unreadable": gettext_lazy("The line holds unreadable characters."),
    "too_long": gettext_lazy("The line is too long to be a customer."),
    "quote": gettext_lazy("A quotation mark is opened and never closed."),
    "width": gettext_lazy("The line has %(found)s cells, the header has %(expected)s."),
    "nobody": gettext_lazy("The row names no customer number, phone or email."),
    "phone": gettext_lazy("This is not a phone number."),
    "rounded": gettext_lazy(
        "A spreadsheet shortened this number and lost its last digits. "
        "Format the column as text and export it again."
    ),
    "masked": gettext_lazy("This is a masked value; only a row with a customer number may keep it."),
    "email": gettext_lazy("This is not an email address."),
    "contact": gettext_lazy("This cannot be a contact point."),
    "length": gettext_lazy("Longer than %(limit)s characters."),
    "control": gettext_lazy("Holds characters that cannot be shown."),
    "formula": gettext_lazy("The spreadsheet shows an error here, not a value."),
    "locale": gettext_lazy("Unknown language. Use zh-hans or en."),
    "time_zone": gettext_lazy("Unknown time zone. Write it like Asia/Shanghai."),
    "date": gettext_lazy("This is not a date. Write it like 1990-03-02."),
    "public_id": gettext_lazy("This is not a NotifyHub id."),
    "tags": gettext_lazy("At most %(limit)s tags a customer."),
    "other_number": gettext_lazy("Another customer has this number already."),
    "other_order": gettext_lazy("This order belongs to another customer."),
    "json": gettext_lazy("This is not usable as JSON."),
    "no_event": gettext_lazy("The row names no event."),
    "moment": gettext_lazy("This is not a time. Write it like 2026-11-20 14:32:08."),
    # What the service said, in the language of whoever started the import.
    "said": "%(text)s",
    "erased": gettext_lazy("This customer was erased on their own request."),
    "repeated": gettext_lazy("The same customer comes again on line %(by)s, which was taken instead."),
    "retained": pgettext_lazy("import", "Not taken."),
}


def reason_of(code: str, params: dict[str, Any]) -> str:
    """Return the sentence for a problem."""
    params = {**params, "encoding": ENCODINGS.get(params.get("encoding", ""), "")}
    return str(REASONS.get(code, REASONS["retained"])) % params


def mask_cell(value: str) -> str:
    """Return enough of a value to find it in the file, and not more."""
    value = " ".join(value.split())
    if "@" in value:
        return mask_email(value)[:60]
    if len(value) <= 3:
        return "*" * len(value)
    if len(value) <= 6:
        return value[0] + "***"
    return f"{value[:3]}****{value[-2:]}"


def problem_lines(
    run: CustomerImport, *, label: Callable[[str], str] = CUSTOMER_COLUMNS.label_of
) -> Iterator[str]:
    """Yield the problems of an import as CSV text, in the language that is active."""
    parts: list[str] = []
    yield "\ufeff"
    writer = csv.writer(_Into(parts.append))
    writer.writerow([_("Line"), _("Column"), _("Value (masked)"), _("Reason")])
    for problem in run.problems.order_by("line", "id").iterator(chunk_size=2000):
        reason = reason_of(problem.code, problem.params)
        writer.writerow([problem.line, label(problem.column), _harmless(problem.value), reason])
        if len(parts) > 500:
            yield "".join(parts)
            parts.clear()
    yield "".join(parts)


def _harmless(value: str) -> str:
    return "'" + value if value[:1] in "=+-@\t\r＝＋－＠" and value else value


class _Into:
    def __init__(self, write: Callable[[str], Any]) -> None:
        self.write = write
