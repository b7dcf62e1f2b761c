"""Every row about a customer can be shown to them and erased."""

from notifyhub.core.personal_data import models_about_customers, models_without_handler


def test_each_model_that_points_to_a_customer_can_export_and_erase() -> None:
    assert models_about_customers()
    assert models_without_handler() == []
