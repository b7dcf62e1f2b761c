"""What a text may read about its customer, as plain data."""

import json
from collections.abc import Mapping
from typing import Any

from notifyhub.customers.models import Customer
from notifyhub.customers.services.traits.reading import sample_values, trait_values
from notifyhub.messaging.rendering.digest import ITEMS, MARK

# The columns of customers_customer that `customer_variables` reads.
COLUMNS = ("name", "city", "external_id", "attributes", "tags")
TRAITS = "traits"
# What json.loads comes to once it has looked for blanks around a value.
_scan: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
SECRET_PREFIX = "secret_"
SECRET_LIST = "_secret"
MASK = "••••"


def customer_variables(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"customer": {...}} from the COLUMNS of one customer; `attributes` may be JSON text.

    `traits` are in it where the row has them: a text that reads none does not ask for them.
    """
    attributes = row.get("attributes") or {}
    if type(attributes) is str and attributes[0] == "{":
        # As the database writes it: no blanks before it.
        attributes = _scan(attributes, 0)[0]
    elif isinstance(attributes, str | bytes):
        attributes = json.loads(attributes)
    return {
        "customer": {
            "name": row.get("name") or "",
            "city": row.get("city") or "",
            "number": row.get("external_id") or "",
            "attributes": attributes,
            "tags": list(row.get("tags") or ()),
            "traits": row.get(TRAITS) or {},
        }
    }


def variables_of(customer: Customer) -> dict[str, Any]:
    """Return `customer_variables` of a customer row, with their traits; an unsaved one gets examples."""
    traits = trait_values(ids=[customer.pk]).get(customer.pk) if customer.pk else sample_values()
    return customer_variables({**{name: getattr(customer, name) for name in COLUMNS}, TRAITS: traits})


def secret_names(variables: Mapping[str, Any]) -> set[str]:
    """Return the top-level names that are secret: `secret_…`, and those listed under `_secret`."""
    listed = variables.get(SECRET_LIST) or ()
    found = {name for name in variables if name.startswith(SECRET_PREFIX)} | set(listed)
    if variables.get(MARK) and any(secret_names(one) for one in variables[ITEMS]):
        found.add(ITEMS)
    return found


def masked(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables with every secret replaced by dots, for what is stored or shown."""
    secret = secret_names(variables)
    known = {name: MASK if name in secret else value for name, value in variables.items()}
    if variables.get(MARK):
        known[ITEMS] = [masked(one) for one in variables[ITEMS]]
    return known


def missing(paths: list[str], variables: Mapping[str, Any]) -> list[str]:
    """Return which of `paths` (as `Part.variables` gives them) are empty for this customer."""
    absent = []
    for path in paths:
        value: Any = variables
        for key in path.replace("[", ".").replace("]", "").split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
            if value in (None, ""):
                absent.append(path)
                break
    return absent
