"""Adding and changing a customer, on a page of their own."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic.base import TemplateResponseMixin

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.admin.filters import known_cities, known_tags
from notifyhub.customers.admin.views import CustomerView
from notifyhub.customers.models import Customer
from notifyhub.customers.services.customers import create_customer, update_customer
from notifyhub.staff.models.people import validate_time_zone

MAX_ATTRIBUTES = 60
ZONES = ("Asia/Shanghai", "Asia/Urumqi", "Asia/Hong_Kong", "Asia/Taipei", "Asia/Tokyo", "UTC")


class CustomerForm(forms.Form):
    """What staff may write about a customer. Tags come as one text, attributes as pairs of rows."""

    name = forms.CharField(label=_("Full name"), max_length=120, required=False)
    external_id = forms.CharField(
        label=_("Customer number"), max_length=64, required=False, help_text=_("The platform's id.")
    )
    city = forms.CharField(label=_("City"), max_length=60, required=False)
    locale = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    time_zone = forms.CharField(label=_("Time zone"), max_length=50, validators=[validate_time_zone])
    tags = forms.CharField(label=_("Tags"), required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def clean_tags(self) -> list[str]:
        parts = self.cleaned_data["tags"].replace("，", ",").replace("\n", ",").split(",")
        tags = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
        if any(len(tag) > 40 for tag in tags):
            raise forms.ValidationError(_("A tag has at most 40 characters."))
        if len(tags) > 50:
            raise forms.ValidationError(_("A customer has at most 50 tags."))
        return tags

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if any("\x00" in value for value in cleaned.values() if isinstance(value, str)):
            raise forms.ValidationError(_("The text contains a character that cannot be stored."))
        return cleaned


class ContactForm(forms.Form):
    phone = forms.CharField(label=_("Phone"), max_length=40, required=False)
    email = forms.CharField(label=_("Email"), max_length=254, required=False)


def read_attributes(posted: Any) -> dict[str, Any]:
    """Return the attribute rows as a dict; numbers and yes/no keep their kind. Raises Refused."""
    keys, values = posted.getlist("attribute_key"), posted.getlist("attribute_value")
    found: dict[str, Any] = {}
    for key, value in zip(keys, values, strict=False):
        key, value = key.strip(), value.strip()
        if not key and not value:
            continue
        if not key or len(key) > 60 or len(value) > 500 or "\x00" in key + value:
            raise Refused(
                _t("Each attribute has a name of at most 60 characters, and a value of at most 500."),
                field="attributes",
            )
        if key in found:
            raise Refused(_t("The attribute “%s” stands here twice.") % key, field="attributes")
        found[key] = value
    if len(found) > MAX_ATTRIBUTES:
        raise Refused(_t("A customer has at most %d attributes.") % MAX_ATTRIBUTES, field="attributes")
    return found


def attribute_rows(attributes: dict[str, Any]) -> list[tuple[str, str]]:
    """Return attributes as text pairs for the rows of the form."""
    return [(key, _as_text(value)) for key, value in attributes.items()]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class _FormPage(TemplateResponseMixin, PageMixin):
    template_name = "customers/form.html"

    def answer(
        self, form: Any, rows: list[tuple[str, str]], *, status: int = 200, **extra: Any
    ) -> HttpResponse:
        context = self.get_context_data(
            form=form,
            rows=[*rows, ("", "")],
            cities=known_cities(),
            known_tags=known_tags(),
            zones=ZONES,
            **extra,
        )
        return self.render_to_response(context, status=status)

    def typed_rows(self) -> list[tuple[str, str]]:
        posted = self.request.POST
        pairs = zip(posted.getlist("attribute_key"), posted.getlist("attribute_value"), strict=False)
        return [(key, value) for key, value in pairs if key or value]

    def fail(self, form: Any, refusal: Refused) -> None:
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))


class CustomerAdd(_FormPage):
    """A new customer with phone and email."""

    permission_required = "customers.add_customer"
    title = _("Add customer")

    @property
    def crumbs(self) -> Any:
        return [(_t("Customers"), reverse("admin:customers_customer_changelist")), (_t("Add customer"), "")]

    def get(self, request: HttpRequest) -> HttpResponse:
        initial = {"locale": settings.LANGUAGES[1][0], "time_zone": settings.TIME_ZONE}
        return self.answer(CustomerForm(initial=initial), [], contact=ContactForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form, contact = CustomerForm(request.POST), ContactForm(request.POST)
        if form.is_valid() & contact.is_valid():
            try:
                data = {**form.cleaned_data, "attributes": read_attributes(request.POST)}
                data.pop("version")
                customer = create_customer(contacts=contact.cleaned_data, **data)
            except Refused as refusal:
                self.fail(contact if refusal.field in contact.fields else form, refusal)
            else:
                messages.success(request, _t("%s is saved.") % customer)
                return redirect("admin:customers_customer_change", customer.pk)
        return self.answer(form, self.typed_rows(), contact=contact, status=422)


class CustomerEdit(_FormPage, CustomerView):
    """The same form for one customer; a version that is gone by shows both texts side by side."""

    permission_required = ("customers.view_customer", "customers.change_customer")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        customer = kwargs["customer"]
        return super().get_context_data(
            title=_t("Edit customer"),
            crumbs=[
                (_t("Customers"), reverse("admin:customers_customer_changelist")),
                (str(customer), self.page_url()),
                (_t("Edit"), ""),
            ],
            **kwargs,
        )

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer = self.get_customer()
        if customer.state != Customer.State.ACTIVE:
            return HttpResponseRedirect(self.page_url())
        form = CustomerForm(initial=self.initial(customer))
        return self.answer(form, attribute_rows(customer.attributes), customer=customer)

    def initial(self, customer: Customer) -> dict[str, Any]:
        """Return the present values as the form shows them."""
        names = ("name", "external_id", "city", "locale", "time_zone", "version")
        return {**{name: getattr(customer, name) for name in names}, "tags": ", ".join(customer.tags)}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer = self.get_customer()
        form = CustomerForm(request.POST)
        status, extra = 422, {}
        if form.is_valid():
            try:
                update_customer(
                    customer_id=customer.pk,
                    changes=self.changes(customer, form.cleaned_data),
                    version=form.cleaned_data["version"],
                )
            except Conflict as conflict:
                # The typed text stays; beside it stands what is there now, and the next save is against that.
                form.data = {**request.POST.dict(), "version": str(customer.version)}
                status, extra = 409, {"conflict": conflict, "now": self.now(customer, form)}
            except Refused as refusal:
                self.fail(form, refusal)
            else:
                messages.success(request, _t("The changes are saved."))
                return HttpResponseRedirect(self.page_url())
        return self.answer(form, self.typed_rows(), status=status, customer=customer, **extra)

    def changes(self, customer: Customer, data: dict[str, Any]) -> dict[str, Any]:
        """Return what differs from the stored row; an untouched attribute keeps its number or list."""
        attributes = read_attributes(self.request.POST)
        for key, value in attributes.items():
            stored = customer.attributes.get(key)
            if stored is not None and _as_text(stored) == value:
                attributes[key] = stored
        wanted = {**data, "external_id": data["external_id"] or None, "attributes": attributes}
        wanted.pop("version")
        return {name: value for name, value in wanted.items() if value != getattr(customer, name)}

    def now(self, customer: Customer, form: CustomerForm) -> list[tuple[Any, str, str]]:
        """Return (label, stored, typed) of each field that differs."""
        stored = self.initial(customer)
        return [
            (field.label, str(stored[name] or "—"), str(form.data.get(name) or "—"))
            for name, field in form.fields.items()
            if name != "version" and str(stored[name] or "") != str(form.data.get(name) or "")
        ]
