"""The consent step of an import as a form."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.forms import PageForm
from notifyhub.customers.models import Segment, Topic
from notifyhub.customers.models.consent import Channel
from notifyhub.customers.services.importing.plans import ConsentPlan, plan_consent

NOBODY, AGREED = "nobody", "agreed"


class ConsentForm(PageForm):
    """Either nobody in the file can get promotions, or: who agreed to what, where, when, proven how."""

    decision = forms.ChoiceField(
        label=gettext_lazy("Promotions"),
        widget=forms.RadioSelect,
        choices=[
            (NOBODY, gettext_lazy("Nobody in this file can get promotions")),
            (AGREED, gettext_lazy("Everybody in this file has agreed")),
        ],
    )
    topics = forms.MultipleChoiceField(
        label=gettext_lazy("Topics"), widget=forms.CheckboxSelectMultiple, required=False
    )
    channels = forms.MultipleChoiceField(
        label=gettext_lazy("Channels"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        choices=Channel.choices,
    )
    source = forms.CharField(
        label=gettext_lazy("Where they agreed"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("Such as: app sign-up, shop counter, old member system."),
    )
    given_on = forms.CharField(
        label=gettext_lazy("Date of consent"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("The earliest day that holds for all: whoever opted out later stays out."),
    )
    proof = forms.CharField(
        label=gettext_lazy("Proof"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("Where the evidence is kept: a contract, a form, a log."),
    )
    wording = forms.CharField(
        label=gettext_lazy("Wording they agreed to"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    policy_version = forms.CharField(
        label=gettext_lazy("Version of the privacy policy"), required=False, max_length=40
    )

    list = forms.ModelChoiceField(
        label=gettext_lazy("Also put them on a static list"),
        queryset=Segment.objects.none(),
        required=False,
        empty_label=gettext_lazy("No list"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        topics = Topic.objects.filter(active=True, legal_basis=Topic.LegalBasis.CONSENT)
        self.fields["topics"].choices = [(topic.code, str(topic)) for topic in topics]  # type: ignore[attr-defined]

        self.fields["list"].queryset = Segment.objects.filter(  # type: ignore[attr-defined]
            kind=Segment.Kind.STATIC, archived_at=None
        )

    def clean(self) -> dict[str, Any]:
        """Ask for what a consent needs, at its own field."""
        data = super().clean() or {}
        if data.get("decision") == AGREED:
            for name in ("topics", "channels", "source", "given_on", "proof"):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, _("Needed for a consent."))
        return data

    @staticmethod
    def initial_of(plan: dict[str, Any]) -> dict[str, Any]:
        """Return what was decided before, for going back a step; nothing is decided at first."""
        if not plan.get("consent_decided"):
            return {}
        consent = plan.get("consent")
        if not consent:
            return {"decision": NOBODY, "list": plan.get("list_id")}
        return {
            "list": plan.get("list_id"),
            **{name: consent[name] for name in ("source", "proof", "wording", "policy_version")},
            "decision": AGREED,
            "given_on": consent["given_at"][:10],
            "topics": sorted({topic for topic, _channel in consent["grants"]}),
            "channels": sorted({channel for _topic, channel in consent["grants"]}),
        }


def consent_of(form: ConsentForm) -> ConsentPlan | None:
    """Return the consent that a valid form speaks of; raises Refused if it would not stand."""
    data = form.cleaned_data
    if data["decision"] == NOBODY:
        return None
    return plan_consent(
        grants=[(topic, channel) for topic in data["topics"] for channel in data["channels"]],
        source=data["source"],
        given_on=data["given_on"],
        proof=data["proof"],
        wording=data["wording"],
        policy_version=data["policy_version"],
    )
