"""The shapes of the customers API; what they mean is in their help texts, which the schema shows."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework import serializers

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Consent, ContactPoint, Customer
from notifyhub.customers.services.contacts import read_contact
from notifyhub.customers.services.events.shapes import json_text
from notifyhub.customers.services.upsert import CustomerRow
from notifyhub.customers.services.words import (
    DATE_ATTRIBUTES,
    MAX_TAG,
    MAX_TAGS,
    read_date,
    read_language,
)
from notifyhub.staff.models.people import validate_time_zone

MAX_ITEMS = 1000
MAX_ATTRIBUTES = 16 * 1024
CONTACTS = ("phone", "email", "wechat", "wecom", "dingtalk", "push")


class CustomerInSerializer(serializers.Serializer):
    """One customer. What is left out, null or empty stays as it is."""

    external_id = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=64, help_text="The platform's id."
    )
    name = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=120)
    phone = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=40, help_text="In any notation."
    )
    email = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=254)
    wechat = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=255, help_text="WeChat openid."
    )
    wecom = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=255)
    dingtalk = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=255)
    push = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=255, help_text="App push token."
    )
    locale = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=20, help_text="zh-hans or en."
    )
    time_zone = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=50,
        help_text=f"IANA name; new customers get {settings.TIME_ZONE}.",
    )
    city = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=60)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=MAX_TAG),
        required=False,
        allow_null=True,
        max_length=MAX_TAGS,
        help_text="Added to the tags the customer has.",
    )
    attributes = serializers.DictField(
        required=False, allow_null=True, help_text="Merged into the attributes the customer has."
    )

    def validate_locale(self, value: str | None) -> str | None:
        """Return the code of the language."""
        if value and read_language(value) is None:
            raise serializers.ValidationError(_("Unknown language. Use zh-hans or en."))
        return read_language(value) if value else None

    def validate_time_zone(self, value: str | None) -> str | None:
        """Return the zone if it exists."""
        if value:
            validate_time_zone(value)
        return value

    def validate_attributes(self, value: dict[str, Any] | None) -> dict[str, Any]:
        """Return the attributes that say something."""
        said = {key: item for key, item in (value or {}).items() if item is not None}
        if any(not 0 < len(key) <= 60 for key in said):
            raise serializers.ValidationError(_("The name of an attribute has 1 to 60 characters."))
        for key in DATE_ATTRIBUTES & set(said):
            said[key] = read_date(str(said[key]))
            if said[key] is None:
                raise serializers.ValidationError(_("This is not a date. Write it like 1990-03-02."))
        try:
            json_text(said, field="attributes", limit=MAX_ATTRIBUTES)
        except Refused as refusal:
            raise serializers.ValidationError(str(refusal)) from refusal
        return said

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Read the contact points; at least one way to know the customer must be there."""
        attrs["contacts"] = {}
        for kind in CONTACTS:
            raw = (attrs.get(kind) or "").strip()
            if raw:
                try:
                    attrs["contacts"][kind] = read_contact(kind=kind, raw=raw)
                except Refused as refusal:
                    raise serializers.ValidationError({kind: [str(refusal)]}) from refusal
        if not (attrs.get("external_id") or {"phone", "email"} & set(attrs["contacts"])):
            raise serializers.ValidationError(_("Give a customer number, a phone or an email."))
        return attrs

    def as_row(self, index: int) -> CustomerRow:
        """Return what the item says; call after `is_valid`."""
        said = self.validated_data
        return CustomerRow(
            line=index,
            external_id=said.get("external_id") or None,
            name=" ".join((said.get("name") or "").split()) or None,
            locale=said.get("locale") or None,
            time_zone=said.get("time_zone") or None,
            city=said.get("city") or None,
            tags=list(dict.fromkeys(said.get("tags") or [])),
            attributes=said.get("attributes") or {},
            contacts=said["contacts"],
        )


class ItemErrorSerializer(serializers.Serializer):
    """Why one item of a list was not taken."""

    index = serializers.IntegerField()
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField())
    )


class CustomersResultSerializer(serializers.Serializer):
    """What became of a list of customers."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    repeated = serializers.IntegerField(help_text="Items about a customer that came again in the list.")
    errors = ItemErrorSerializer(many=True)  # type: ignore[assignment]


class EventInSerializer(serializers.Serializer):
    """One event. The customer is named by number, or else by phone or email."""

    message_id = serializers.CharField(max_length=120, help_text="Each id is taken once.")
    name = serializers.CharField(max_length=80, help_text="Like order_paid.")
    occurred_at = serializers.DateTimeField(help_text="With its zone.")
    external_id = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=64)
    phone = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=40)
    email = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=254)
    anonymous_id = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=255,
        help_text="Of a visitor; such an event waits until somebody is bound to it.",
    )
    order_number = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=64)
    properties = serializers.DictField(required=False, allow_null=True, help_text="At most 32 kB.")


class EventBatchSerializer(serializers.Serializer):
    """Up to 1000 events."""

    batch = EventInSerializer(many=True)


class EventsResultSerializer(serializers.Serializer):
    """What became of the events."""

    accepted = serializers.IntegerField()
    repeated = serializers.IntegerField(help_text="Events whose message id was known already.")
    parked = serializers.IntegerField(help_text="Events that wait until their customer is known.")
    customers_created = serializers.IntegerField()
    errors = ItemErrorSerializer(many=True)  # type: ignore[assignment]


class ContactPointSerializer(serializers.ModelSerializer):
    """A contact point, masked."""

    class Meta:
        model = ContactPoint
        fields = ["kind", "masked", "primary", "valid", "invalid_reason"]


class ConsentSerializer(serializers.ModelSerializer):
    """The current consent for one topic on one channel."""

    topic = serializers.CharField(source="topic.code")

    class Meta:
        model = Consent
        fields = ["topic", "channel", "decision", "given_at"]


class CustomerSerializer(serializers.ModelSerializer):
    """A customer, phone and email masked."""

    contact_points = ContactPointSerializer(many=True)
    consents = ConsentSerializer(many=True)

    class Meta:
        model = Customer
        fields = [
            "public_id",
            "external_id",
            "name",
            "locale",
            "time_zone",
            "city",
            "tags",
            "attributes",
            "provisional",
            "contact_points",
            "consents",
            "last_order_at",
            "created_at",
            "updated_at",
            "version",
        ]
        read_only_fields = fields


class ProblemSerializer(serializers.Serializer):
    """An error as RFC 9457 problem+json: every answer from 400 on has this shape."""

    type = serializers.CharField()
    title = serializers.CharField(help_text="In a word; the same for each status.")
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="A sentence for people, in the language of Accept-Language.")
    code = serializers.CharField(required=False, help_text="For programs, where the status says too little.")
    errors = serializers.DictField(  # type: ignore[assignment]
        required=False,
        child=serializers.ListField(child=serializers.CharField()),
        help_text=(
            "What is wrong where, by the path of the input: `channels`, `channels.0.wait`, "
            "`recipients.3.phone`; `non_field_errors` is the request as a whole."
        ),
    )


def problems(*codes: int) -> dict[tuple[int, str], type[ProblemSerializer]]:
    """Return the errors of an address for its schema: those of `codes`, and those that all have."""
    return {(code, "application/problem+json"): ProblemSerializer for code in sorted({401, 403, 429, *codes})}
