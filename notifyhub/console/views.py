"""One dashboard card, the operations page, and the search over everything."""

import logging
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from notifyhub.console.boards import may_see
from notifyhub.console.operations import operations
from notifyhub.core.registry import dashboard_cards
from notifyhub.core.registry import search as sources

logger = logging.getLogger(__name__)

MIN_TERM = 2


@never_cache
@require_GET
def card(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with one card. A card that fails says so alone, with a button to try again."""
    entry = dashboard_cards.get(name)
    if entry is None:
        raise Http404
    if not may_see(request, entry):
        raise PermissionDenied
    context: dict[str, Any] = {"card": entry, "name": name}
    try:
        context["body"] = entry.render(request)
    except Exception:
        logger.exception("The dashboard card %s failed", name)
        context["failed"] = True
    return render(request, "nh/card.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
def search(request: HttpRequest) -> HttpResponse:
    """Answer with the hits for a posted term; posted, so that no phone number lands in a URL or a log."""
    term = request.POST.get("q", "").strip()[:100]
    groups = []
    if len(term) >= MIN_TERM:
        for name, source in sources.items():
            hits = list(source(request, term))
            if hits:
                groups.append({"name": name, "hits": hits})
    return render(request, "nh/search_results.html", {"groups": groups, "term": term})


def _operators_only(request: HttpRequest) -> None:
    user: Any = request.user
    if not user.has_perm("staff.view_operations"):
        raise PermissionDenied


@never_cache
@require_GET
def operations_page(request: HttpRequest) -> HttpResponse:
    """Answer with the operations page: is it working, and if not, what is broken."""
    _operators_only(request)
    context = {
        **admin.site.each_context(request),
        **operations(),
        "title": _("Operations"),
        "crumbs": [(_("System"), ""), (_("Operations"), "")],
        "is_fullwidth": "1",
    }
    return render(request, "console/operations.html", context)


@never_cache
@require_GET
def operations_body(request: HttpRequest) -> HttpResponse:
    """Answer with the part of the operations page that is refreshed."""
    _operators_only(request)
    return render(request, "console/operations_body.html", operations())
