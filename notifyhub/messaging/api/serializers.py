"""The shapes of the messages API; what they mean is in their help texts, which the schema shows."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from notifyhub.core.errors import Refused
from notifyhub.customers.models.consent import Channel
from notifyhub.customers.services.events.shapes import json_text
from notifyhub.messaging.models import InboundMessage
from notifyhub.messaging.services.requests import AttachmentIn, Recipient, read_attachment

MOST_RECIPIENTS = 1000
MOST_VARIABLES = 16 * 1024
LONGEST_WAIT = 30 * 86400
# Nobody plans a message for later; such a date has the wrong century, or no end that can be reckoned.
FURTHEST = timedelta(days=3660)
NO_LIST: dict[str, Any] = {"not_a_list": gettext_lazy("Write a list here.")}


class Shape(serializers.Serializer[Any]):
    """An object of the request; what is none is refused in words that a caller of any language knows."""

    default_error_messages = {"invalid": gettext_lazy("Write an object of names and values here.")}


class RecipientSerializer(Shape):
    """Who gets it: named by exactly one of customer, phone and email."""

    customer = serializers.CharField(required=False, max_length=64, help_text="The platform's number.")
    phone = serializers.CharField(required=False, max_length=40, help_text="In any notation.")
    email = serializers.CharField(required=False, max_length=254)
    subject_ref = serializers.CharField(
        required=False, max_length=80, help_text="What it is about, like order:2301: holds and limits ask."
    )
    variables = serializers.DictField(
        required=False,
        help_text="For the template. Names that start with secret_ are never stored with the message.",
    )

    def validate_variables(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return the variables if they are small enough."""
        try:
            json_text(value, field="variables", limit=MOST_VARIABLES)
        except Refused as refusal:
            raise serializers.ValidationError(str(refusal)) from refusal
        return value


class StepSerializer(Shape):
    """One step of the fallback chain."""

    channel = serializers.ChoiceField(choices=Channel.choices)
    wait = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=LONGEST_WAIT,
        help_text="Seconds after which the next step goes out, unless `until` has happened.",
    )
    until = serializers.ChoiceField(choices=("delivered", "read"), required=False)


class TextSerializer(Shape):
    """A text without template."""

    subject = serializers.CharField(required=False, max_length=200, allow_blank=True)
    body = serializers.CharField(max_length=20_000)


class AttachmentSerializer(Shape):
    """A file for transactional mail: PDF, PNG, JPEG, GIF, TXT, CSV or ICS."""

    name = serializers.CharField(max_length=150)
    content = serializers.CharField(help_text="In base64; at most 5 MB together.")


class MessagesInSerializer(Shape):
    """One message to up to 1000 recipients."""

    template = serializers.CharField(required=False, max_length=60, help_text="The key of a template.")
    text = TextSerializer(required=False, help_text="Instead of a template; transactional only.")
    channels = StepSerializer(
        many=True,
        error_messages={"not_a_list": gettext_lazy("Write a list of steps here, each with its channel.")},
        help_text="By priority: the next is used when one fails.",
    )
    recipients = RecipientSerializer(many=True, error_messages=NO_LIST)
    title = serializers.CharField(required=False, max_length=200, help_text="Shown to staff.")
    subject_ref = serializers.CharField(required=False, max_length=80)
    send_at = serializers.DateTimeField(required=False, help_text="With its zone; now if left out.")
    expires_at = serializers.DateTimeField(required=False)
    expires_in = serializers.IntegerField(
        required=False, min_value=1, max_value=LONGEST_WAIT, help_text="Seconds; a login code is old soon."
    )
    urgent = serializers.BooleanField(required=False, help_text="A service message ignores quiet hours.")
    bulk = serializers.BooleanField(required=False, help_text="Waits behind codes and orders.")
    attachments = AttachmentSerializer(many=True, required=False, error_messages=NO_LIST)

    def validate_recipients(self, value: list[Any]) -> list[Any]:
        """Return the recipients if there are some and not too many."""
        if not 0 < len(value) <= MOST_RECIPIENTS:
            raise serializers.ValidationError(_("Name 1 to %d recipients.") % MOST_RECIPIENTS)
        return value

    def validate_send_at(self, value: datetime) -> datetime:
        """Return the moment if one may plan for it."""
        return _near(value)

    def validate_expires_at(self, value: datetime) -> datetime:
        """Return the moment if one may plan for it."""
        return _near(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Look at what belongs together."""
        if ("template" in attrs) == ("text" in attrs):
            raise serializers.ValidationError({"template": [_("Give either a template or a text.")]})
        if "expires_at" in attrs and "expires_in" in attrs:
            raise serializers.ValidationError({"expires_at": [_("Give either expires_at or expires_in.")]})
        return attrs

    def as_arguments(self) -> dict[str, Any]:
        """Return what `accept_messages` takes; call after `is_valid`. Raises Refused for a bad file."""
        said = dict(self.validated_data)
        files: list[AttachmentIn] = [read_attachment(**one) for one in said.pop("attachments", ())]
        expires_in = said.pop("expires_in", None)
        if expires_in is not None:
            start = max(said.get("send_at") or timezone.now(), timezone.now())
            said["expires_at"] = start + timedelta(seconds=expires_in)
        said["chain"] = [dict(step) for step in said.pop("channels")]
        said["recipients"] = [Recipient(**one) for one in said["recipients"]]
        if "text" in said:
            said["text"] = dict(said["text"])
        return {**said, "attachments": files}


def _near(moment: datetime) -> datetime:
    if moment > timezone.now() + FURTHEST:
        raise serializers.ValidationError(_("Choose a time within the next ten years."))
    return moment


class AcceptedSerializer(serializers.Serializer[Any]):
    """What was accepted; `id` is the address under which its messages can be watched."""

    id = serializers.UUIDField()
    state = serializers.CharField()
    recipients = serializers.IntegerField()
    customers_created = serializers.IntegerField()


class ReplySerializer(serializers.Serializer[Any]):
    """What the recipient replied to one message."""

    at = serializers.DateTimeField()
    text = serializers.CharField(allow_blank=True)
    meaning = serializers.ChoiceField(
        choices=InboundMessage.Meaning.choices,
        help_text="stop: no more offers go to them; start: what a stop closed is open again.",
    )


class MessageSerializer(serializers.Serializer[Any]):
    """One message."""

    recipient = serializers.IntegerField(help_text="Its place in the request, from 0.")
    reference = serializers.CharField()
    step = serializers.IntegerField(help_text="Its place in the fallback chain, from 0.")
    channel = serializers.CharField()
    state = serializers.CharField()
    reason = serializers.CharField()
    due_at = serializers.DateTimeField()
    handed_over_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    read_at = serializers.DateTimeField(allow_null=True)
    replies = ReplySerializer(many=True, help_text="Oldest first; erased and expired ones are left out.")


class RequestSerializer(serializers.Serializer[Any]):
    """What became of a request so far; `counts` are messages and close: planned is the sum of the others."""

    id = serializers.UUIDField()
    state = serializers.CharField()
    title = serializers.CharField()
    accepted_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    counts = serializers.DictField(child=serializers.IntegerField())
    messages = MessageSerializer(many=True)
