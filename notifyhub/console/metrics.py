"""/metrics: this process's requests, and the house."""

import hmac
import ipaddress

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from django_prometheus.exports import ExportToDjangoView

from notifyhub.messaging.metrics import house_metrics


def _from_here(request: HttpRequest) -> bool:
    """Say whether nobody else's machine asks; what came through a proxy did not begin here."""
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip")):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def may_read(request: HttpRequest) -> bool:
    """Say whether the caller may read the metrics: the token, or without one this machine or DEBUG alone."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode())
    return settings.DEBUG or _from_here(request)


@never_cache
@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with everything in Prometheus's text form."""
    if not may_read(request):
        return HttpResponse(
            "Set METRICS_TOKEN and send it as Authorization: Bearer.\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": "Bearer"},
        )
    answer: HttpResponse = ExportToDjangoView(request)
    answer.content = answer.content + house_metrics()
    return answer
