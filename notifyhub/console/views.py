"""One dashboard card, and the search over everything."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from notifyhub.console.boards import may_see
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
