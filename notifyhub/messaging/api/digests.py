"""How often customers want the messages of a topic, read and told by programs."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifyhub.core.errors import Refused
from notifyhub.core.problems import WHOLE, problem
from notifyhub.customers.api.finding import find_customer
from notifyhub.customers.api.parsing import BoundedJSONParser
from notifyhub.customers.api.serializers import problems
from notifyhub.customers.models import Customer, Topic
from notifyhub.messaging.api.serializers import Shape
from notifyhub.messaging.models import DigestWish
from notifyhub.messaging.services.digests.wishes import set_wish, told_of
from notifyhub.staff.idempotency import IdempotentMixin

MOST_WISHES = 100


class WishInSerializer(Shape):
    """How often the customer wants one topic."""

    topic = serializers.CharField(max_length=40, help_text="The code of a topic.")
    wish = serializers.ChoiceField(
        choices=DigestWish.Wish.choices, help_text="template: as the sender of each message chose."
    )
    proof = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Where the customer said so, like the name of a page or the number of a ticket.",
    )


class WishesInSerializer(Shape):
    """Wishes of one customer; topics that are left out stay as they are."""

    wishes = WishInSerializer(many=True, error_messages={"not_a_list": gettext_lazy("Write a list here.")})

    def validate_wishes(self, value: list[Any]) -> list[Any]:
        """Return the wishes if there are some, not too many, and each topic once."""
        if not 0 < len(value) <= MOST_WISHES:
            raise serializers.ValidationError(_("Send 1 to %d wishes.") % MOST_WISHES)
        codes = [one["topic"] for one in value]
        twice = next((place for place, code in enumerate(codes) if code in codes[:place]), None)
        if twice is not None:
            said = {"topic": [_("This topic is named twice.")]}
            raise serializers.ValidationError([said if place == twice else {} for place in range(len(codes))])
        return value


class WishSerializer(serializers.Serializer[Any]):
    """One topic that may be gathered, or of which the customer told a wish."""

    topic = serializers.CharField(source="topic.code")
    wish = serializers.ChoiceField(choices=DigestWish.Wish.choices)
    gathers = serializers.BooleanField(
        help_text="Whether some template gathers messages of this topic; else the wish waits for one."
    )
    changed_at = serializers.DateTimeField(allow_null=True, help_text="When the customer said so last.")


class WishesSerializer(serializers.Serializer[Any]):
    """All wishes of one customer."""

    wishes = WishSerializer(many=True)


class WishesView(IdempotentMixin, APIView):
    """Read and tell how often a customer wants which topic."""

    parser_classes = (BoundedJSONParser,)

    @property
    def required_scope(self) -> str:
        """Return the scope of the method: reading and writing are two doors, as with customers."""
        method = self.request.method if hasattr(self, "request") else "GET"
        return "customers:write" if method == "PATCH" else "customers:read"

    @extend_schema(
        operation_id="digest_wishes_read",
        tags=["customers"],
        responses={200: WishesSerializer, **problems(404)},
        summary="How often a customer wants which topic",
        description="The topics that may be gathered into a digest, and those the customer told a wish for.",
    )
    def get(self, request: Request, external_id: str) -> Response:
        """Return the wishes; a customer that was merged is answered with who it became."""
        return _wishes(find_customer(external_id))

    @extend_schema(
        operation_id="digest_wishes_tell",
        tags=["customers"],
        request=WishesInSerializer,
        responses={200: WishesSerializer, **problems(400, 404, 409, 413, 415, 422)},
        summary="Say how often a customer wants which topic",
        description=(
            "All wishes are taken or none; what a wish already is changes nothing. They hold for what is "
            "planned from now on: what waits to be gathered stays where it is. Each change is kept with its "
            "time, the key that told it and the proof."
        ),
    )
    def patch(self, request: Request, external_id: str) -> Response:
        """Return the wishes as they are now."""
        customer = find_customer(external_id)
        serializer = WishesInSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        told = serializer.validated_data["wishes"]
        key: Any = request.auth
        topics = {
            topic.code: topic
            for topic in Topic.objects.filter(code__in=[one["topic"] for one in told], active=True)
        }
        errors: dict[str, list[str]] = {}
        with transaction.atomic():
            for place, one in enumerate(told):
                try:
                    _tell(customer, topics, one, f"api:{key.prefix}")
                except Refused as refusal:
                    where = f"wishes.{place}.{refusal.field}" if refusal.field else WHOLE
                    errors.setdefault(where, []).append(str(refusal))
            if errors:
                transaction.set_rollback(True)
        if errors:
            detail = _("Some wishes cannot be used; nothing was changed.")
            return problem(status_code=422, detail=detail, errors=errors)
        return _wishes(customer)


def _tell(customer: Customer, topics: dict[str, Topic], told: dict[str, Any], source: str) -> None:
    topic = topics.get(told["topic"])
    if topic is None:
        raise Refused(_("There is no topic with this code."), field="topic")
    set_wish(
        customer_id=customer.pk,
        topic=topic,
        wish=told["wish"],
        source=source,
        proof=told.get("proof", ""),
    )


def _wishes(customer: Customer) -> Response:
    return Response(WishesSerializer({"wishes": told_of(customer_id=customer.pk)}).data)
