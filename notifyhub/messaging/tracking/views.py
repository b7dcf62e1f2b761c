"""The public addresses behind a message's links: a click, an opening, and why somebody got it.

None of them acts on a customer, none asks for a login, and a click leads to an address that was stored when
the text was published: nothing in the request can choose another.
"""

from base64 import b64decode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone

from notifyhub.messaging.public import LinkPage
from notifyhub.messaging.tracking.finding import Found, find_message
from notifyhub.messaging.tracking.hits import Hit, buffer
from notifyhub.messaging.tracking.why import explain_why

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
IMAGE = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# Programs that fetch links by themselves and say so.
ROBOTS = (
    *("bot", "spider", "crawl", "preview", "scan", "monitor"),
    *("curl", "python", "wget", "headless", "proofpoint"),
)


def is_robot(agent: str) -> bool:
    """Say whether the sender of a request calls itself a program; none at all counts as one."""
    words = agent.lower()
    return not words or any(word in words for word in ROBOTS)


class TokenView(LinkPage):
    """What the three have in common."""

    http_method_names = ["get", "head", "options"]
    policy = POLICY

    def keep(self, request: HttpRequest, found: Found, *, link: int | None) -> None:
        """Count one request."""
        buffer.add(
            Hit(
                found.dispatch_id,
                found.delivery_id,
                timezone.now(),
                link=link,
                automatic=is_robot(request.headers.get("User-Agent", "")),
            )
        )


class Click(TokenView):
    """Counts a click and sends the reader on."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        found = find_message(token)
        if found is None or found.url is None:
            return render(request, "messaging/why.html", {"why": None}, status=404)
        self.keep(request, found, link=found.link)
        return HttpResponseRedirect(found.url)


class Opening(TokenView):
    """Counts an opening; the image is given to everybody, so that a mail never shows a broken one."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        found = find_message(token)
        if found is not None:
            self.keep(request, found, link=None)
        return HttpResponse(IMAGE, content_type="image/gif")


class Why(TokenView):
    """Says why somebody got a message, and how to stop it."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        found = find_message(token)
        why = explain_why(dispatch_id=found.dispatch_id, delivery_id=found.delivery_id) if found else None
        return render(request, "messaging/why.html", {"why": why}, status=200 if why else 404)
