"""Which models hold something about a customer, and whether they can export and erase it."""

from django.apps import apps
from django.db.models import Model

from notifyhub.core.registry import personal_data

CUSTOMER = "customers.Customer"


def models_about_customers() -> list[type[Model]]:
    """Return the models that point to Customer, by foreign key or by a bare `customer_id`; a view of a table
    holds nothing of its own."""
    found = []
    for model in apps.get_models():
        if model._meta.proxy or not model._meta.managed or model._meta.label == CUSTOMER:
            continue
        for field in model._meta.concrete_fields:
            target = field.related_model
            if field.attname == "customer_id" or (
                isinstance(target, type) and target._meta.label == CUSTOMER
            ):
                found.append(model)
                break
    return found


def models_without_handler() -> list[str]:
    """Return the labels of such models that registered no export-and-erase handler."""
    return sorted(
        model._meta.label
        for model in models_about_customers()
        if personal_data.get(model._meta.label) is None
    )
