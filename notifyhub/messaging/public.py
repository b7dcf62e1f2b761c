"""The page behind the unsubscribe link of a message (RFC 8058): GET asks, POST acts, nobody logs in."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from notifyhub.core.numbers import read_number
from notifyhub.messaging.models import DigestWish
from notifyhub.messaging.services.preferences import (
    ONE_CLICK,
    PAGE,
    Link,
    find_link,
    read_numbers,
    save_preferences,
    topic_choices,
    unsubscribe,
)
from notifyhub.staff.context import Actor, acting

POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
CUSTOMER = Actor(kind="system", name="customer by link")
LONGEST = 400


class LinkPage(View):
    """What a message's links lead to: kept by no cache, in no index, silent about where one comes from.

    `policy` is the page's own Content-Security-Policy.
    """

    policy = POLICY

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        answer = super().dispatch(request, *args, **kwargs)
        answer["Content-Security-Policy"] = self.policy
        answer["Cache-Control"] = "no-store"
        answer["Referrer-Policy"] = "no-referrer"
        answer["X-Robots-Tag"] = "noindex"
        return answer

    def head(self, request: HttpRequest, token: str) -> HttpResponse:
        # Link scanners ask by HEAD; they get an answer without a look-up and count for nothing.
        return HttpResponse()


# Mailbox providers post without cookies; the signed token is what allows the act.
@method_decorator(csrf_exempt, name="dispatch")
class UnsubscribePage(LinkPage):
    """Asks, stops a topic, keeps the choice of others."""

    http_method_names = ["get", "head", "post", "options"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        link, status = self._link(token)
        return self._page(request, token, link, status=status, done=bool(link and self._is_out(link)))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        link, status = self._link(token)
        if link is None:
            return self._page(request, token, None, status=status)
        with acting(CUSTOMER):
            if request.POST.get("act") == "save":
                save_preferences(link=link, wanted=self._wanted(request), wishes=self._wishes(request))
                return self._page(request, token, link, saved=True, done=self._is_out(link))
            one_click = request.POST.get("List-Unsubscribe") == "One-Click"
            unsubscribe(link=link, source=ONE_CLICK if one_click else PAGE)
        return self._page(request, token, link, done=True)

    def _link(self, token: str) -> tuple[Link | None, int]:
        numbers = read_numbers(token) if len(token) <= LONGEST else None
        if numbers is None:
            return None, 404
        return find_link(dispatch_id=numbers[0], delivery_id=numbers[1]), 200

    def _wanted(self, request: HttpRequest) -> dict[int, bool]:
        kept = set(request.POST.getlist("topic"))
        shown = ((read_number(one, digits=9), one in kept) for one in request.POST.getlist("shown"))
        return {number: wanted for number, wanted in shown if number is not None}

    def _wishes(self, request: HttpRequest) -> dict[int, str]:
        shown = request.POST.getlist("shown")
        given = {read_number(one, digits=9): request.POST.get(f"wish_{one}", "") for one in shown}
        # What no form of ours offers is not an answer.
        return {
            topic: wish
            for topic, wish in given.items()
            if topic is not None and wish in DigestWish.Wish.values
        }

    def _is_out(self, link: Link) -> bool:
        return any(choice.topic == link.topic and not choice.wanted for choice in topic_choices(link=link))

    def _page(
        self,
        request: HttpRequest,
        token: str,
        link: Link | None,
        *,
        status: int = 200,
        done: bool = False,
        saved: bool = False,
    ) -> HttpResponse:
        choices = topic_choices(link=link) if link else []
        context = {
            "token": token,
            "link": link,
            "done": done,
            "saved": saved,
            "unknown": link is None,
            "choices": choices,
            "link_wish": any(one.wish for one in choices),
            "wishes": DigestWish.Wish.choices,
        }
        return render(request, "messaging/unsubscribe.html", context, status=status)
