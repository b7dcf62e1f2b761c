"""Addresses of the customers API."""

from django.urls import URLPattern, path

from notifyhub.customers.api.views import CustomersView, CustomerView, EventsView

urlpatterns: list[URLPattern] = [
    path("customers", CustomersView.as_view(), name="customers"),
    path("customers/<str:external_id>", CustomerView.as_view(), name="customer"),
    path("events", EventsView.as_view(), name="events"),
]
