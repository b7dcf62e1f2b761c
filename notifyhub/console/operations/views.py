"""The pages and buttons of the machine room. Buttons are POST; what they do, one service does."""

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from notifyhub.console.operations.asking import look_up_now
from notifyhub.console.operations.page import alerts_for, operations
from notifyhub.console.operations.stopping import LIFT, PLACE, who_may_lift, words_of
from notifyhub.core.errors import Refused
from notifyhub.core.numbers import read_number
from notifyhub.messaging.services.circuits import probe_now
from notifyhub.messaging.services.halts import (
    lift_halt,
    place_halt,
    release_overdue,
    start_cancelling_overdue,
)
from notifyhub.staff.services.health import examine, report_of

SEE = "staff.view_operations"


def _only(request: HttpRequest, *permissions: str) -> None:
    user: Any = request.user
    if not user.has_perms([SEE, *permissions]):
        raise PermissionDenied


def _context(request: HttpRequest) -> dict[str, Any]:
    user: Any = request.user
    may_place, may_lift = user.has_perm(PLACE), user.has_perm(LIFT)
    return {**operations(), **alerts_for(request), "may_act": may_place, "may_lift": may_lift}


@never_cache
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Answer with the operations page."""
    _only(request)
    context = {
        **admin.site.each_context(request),
        **_context(request),
        "title": _("Operations"),
        "crumbs": [(_("System"), ""), (_("Operations"), "")],
        "is_fullwidth": "1",
        "hide_standing_still": True,  # its own banners have buttons
    }
    return render(request, "console/operations/page.html", context)


@never_cache
@require_GET
def body(request: HttpRequest) -> HttpResponse:
    """Answer with the part of the page that is refreshed."""
    _only(request)
    return render(request, "console/operations/body.html", _context(request))


@never_cache
@require_GET
def report(request: HttpRequest) -> HttpResponse:
    """Answer with what `doctor --json` says, as a file for a colleague."""
    _only(request)
    text = json.dumps(report_of(examine()), ensure_ascii=False, default=str, indent=2)
    name = f"notifyhub-{timezone.now():%Y%m%d-%H%M%S}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="application/json", headers=headers)


@never_cache
@require_http_methods(["GET", "POST"])
def halt(request: HttpRequest) -> HttpResponse:
    """Ask why (GET, a dialog) and order the stop (POST)."""
    _only(request, PLACE)
    asked = request.POST if request.method == "POST" else request.GET
    scope, value = asked.get("scope", ""), asked.get("value", "")
    found = words_of(scope, value)
    # Translators: the word that a person types to confirm that sending stops.
    word = _("STOP")
    error = "" if found else _("There is nothing of that name to stop.")
    wrong = "reason"
    title, text = (found.title, found.text) if found else (_("Nothing to stop"), "")
    typed = found is not None and found.typed
    if found and request.method == "POST":
        try:
            if typed and request.POST.get("word", "").strip().casefold() != word.casefold():
                raise Refused(
                    _("Type %(word)s to confirm; nothing was stopped.") % {"word": word}, field="word"
                )
            place_halt(scope=scope, value=value, reason=request.POST.get("reason", ""))
        except Refused as refusal:
            error, wrong = str(refusal), refusal.field or "reason"
        else:
            messages.success(request, _("It stands still. What is at the provider already still goes out."))
            return HttpResponse(headers={"HX-Redirect": reverse("admin:console_operations")})
    context = {
        "heading": title,
        "text": text,
        "typed": typed,
        "word": word,
        "scope": scope,
        "value": value,
        "name": found.name if found else value[:120],
        "lifters": who_may_lift(),
        "reason": asked.get("reason", ""),
        "typed_word": request.POST.get("word", ""),
        "error": error,
        "wrong": wrong,
        "found": bool(found),
    }
    return render(request, "console/operations/halt.html", context, status=422 if error else 200)


def _act(request: HttpRequest, words: Any) -> HttpResponse:
    """Do `words()`, show what it says or why it was refused, and go back to the page."""
    try:
        messages.success(request, words())
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("admin:console_operations")


def _number(request: HttpRequest, name: str) -> int:
    return read_number(request.POST.get(name)) or 0


@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """Let go on what stands still."""
    _only(request, LIFT)

    def act() -> str:
        lift_halt(halt_id=_number(request, "halt"))
        return _("It goes on.")

    return _act(request, act)


@require_POST
def overdue(request: HttpRequest) -> HttpResponse:
    """Decide on what was overdue when the database was restored."""
    _only(request, LIFT)

    def act() -> str:
        decision = request.POST.get("decision", "")
        if decision == "send":
            sent = release_overdue()
            return ngettext("%(n)d message is sent now.", "%(n)d messages are sent now.", sent) % {"n": sent}
        if decision == "cancel":
            user: Any = request.user
            start_cancelling_overdue(user=user)
            return _("They are being cancelled.")
        raise Refused(_("Choose whether to send them or to cancel them."))

    return _act(request, act)


@require_POST
def probe(request: HttpRequest) -> HttpResponse:
    """Let the next message try a shut circuit at once."""
    _only(request, PLACE)

    def act() -> str:
        gate = probe_now(account_id=_number(request, "account"))
        return _("The next message that is due tries %(name)s.") % {"name": gate.account.name}

    return _act(request, act)


@require_POST
def receipts(request: HttpRequest) -> HttpResponse:
    """Ask the vendors about messages in doubt."""
    _only(request, PLACE)

    def act() -> str:
        settled = look_up_now()
        return ngettext("%(n)d message was settled.", "%(n)d messages were settled.", settled) % {
            "n": settled
        }

    return _act(request, act)


routes: list[tuple[str, Any, str]] = [
    ("", page, ""),
    ("body/", body, "_body"),
    ("report/", report, "_report"),
    ("halt/", halt, "_halt"),
    ("resume/", resume, "_resume"),
    ("overdue/", overdue, "_overdue"),
    ("probe/", probe, "_probe"),
    ("receipts/", receipts, "_receipts"),
]
