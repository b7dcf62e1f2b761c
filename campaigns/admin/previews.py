"""The texts of a campaign as one of its own customers would get them."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from campaigns.admin.pages import CampaignPage, address
from campaigns.services.audience import sample_audience
from campaigns.services.preflight import content_of
from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.models.consent import CONTACT_KIND, Channel
from notifyhub.messaging.admin.templates.preview import frame_response, plain_page
from notifyhub.messaging.models import Content
from notifyhub.messaging.services.previews import Preview, preview_content, random_customer, sample_customer


class PreviewPage(CampaignPage):
    """One frame for each channel of the chain, for a customer of the audience; "another" shuffles."""

    permission_required = ("campaigns.view_campaign", "messaging.view_template")

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        content = content_of(self.campaign)
        customer = self.customer()
        frames = [self._frame(channel, customer) for channel in content.chain if channel in content.written]
        context = {"campaign": self.campaign, "content": content, "customer": customer, "frames": frames}
        return render(request, "campaigns/parts/preview_frames.html", context)

    def customer(self) -> Customer:
        """Return the customer asked for, else one of the audience; an invented one for who may see none."""
        if not self.request.user.has_perm("customers.view_customer"):
            return sample_customer()
        asked = self.request.GET.get("customer", "")
        if asked.isdecimal() and len(asked) < 19:
            found = Customer.objects.filter(pk=asked, state=Customer.State.ACTIVE).first()
            if found:
                return found
        if self.campaign.audience_kind:
            try:
                sample = sample_audience(self.campaign.audience, size=1)
            except Refused:
                sample = []
            if sample:
                return sample[0].customer
        return random_customer() or sample_customer()

    def rendered(self, channel: str, customer: Customer) -> tuple[Content | None, Preview | None]:
        """Return the text of one channel in the customer's language, and how it looks filled in."""
        plan = content_of(self.campaign)
        if plan.version is None:
            return None, None
        texts = list(Content.objects.filter(template_version=plan.version, channel=channel))
        texts.sort(key=lambda text: (text.language != customer.locale, text.language != "zh-hans"))
        if not texts:
            return None, None
        text = texts[0]
        return text, preview_content(content=text, template=plan.version.template, customer=customer)

    def _frame(self, channel: str, customer: Customer) -> dict[str, Any]:
        text, preview = self.rendered(channel, customer)
        kind = CONTACT_KIND[Channel(channel)]
        contact = None
        if kind and customer.pk:
            contact = ContactPoint.objects.filter(customer=customer, kind=kind, primary=True).first()
        mail_url = ""
        if preview and preview.rendered and preview.rendered.html is not None:
            mail_url = f"{address('mail', self.campaign)}?customer={customer.pk or ''}"
        return {
            "channel": channel,
            "label": Channel(channel).label,
            "preview": preview,
            "language": text.get_language_display() if text else "",
            "to": contact.masked if contact else "",
            "lacks": bool(kind and customer.pk and not contact),
            "mail_url": mail_url,
        }


class MailPage(PreviewPage):
    """The mail's HTML for the sandboxed frame, under a policy of its own."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        _text, preview = self.rendered(Channel.EMAIL, self.customer())
        if preview is None:
            raise Http404
        if preview.rendered is None or preview.rendered.html is None:
            return frame_response(plain_page(preview.error or _("Nothing to show.")))
        return frame_response(preview.rendered.html)
