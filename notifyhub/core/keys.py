"""Keys made of names: the name as an address, counted where somebody has it already."""

from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused

M = TypeVar("M", bound=Model)
# Leaves room for a count in the columns, which take 60.
LENGTH = 48
ATTEMPTS = 5


def free_key(rows: QuerySet[Any], name: str, *, fallback: str) -> str:
    """Return a key made of `name` that no row has; `fallback` stands for a name without Latin letters."""
    base = slugify(name)[:LENGTH].strip("-_") or fallback
    taken = set(rows.filter(key__startswith=base).values_list("key", flat=True))
    if base not in taken:
        return base
    return next(key for n in range(2, len(taken) + 3) if (key := f"{base}-{n}") not in taken)


def create_with_key(rows: QuerySet[M], *, name: str, fallback: str, **values: Any) -> M:
    """Insert a row named `name` under a free key and return it.

    Whoever takes the same key in between makes this one count on; Refused (field "name") if that goes on.
    """
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return rows.create(key=free_key(rows.all(), name, fallback=fallback), name=name, **values)
        except IntegrityError:
            continue
    raise Refused(_("Others used this name at the same moment. Save again."), field="name")
