"""What load balancers and browsers ask before anything else."""

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from kombu import Connection


def favicon(request: HttpRequest) -> HttpResponse:
    """Send browsers that ask for /favicon.ico to the icon."""
    return redirect(static("console/icon.svg"))


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while this process can answer at all."""
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when database and broker can be reached, else 503 with what cannot."""
    state = {"database": "ok", "broker": "ok"}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        state["database"] = "unreachable"
    try:
        with Connection(
            settings.BROKER_URL, connect_timeout=2, transport_options={"socket_timeout": 2}
        ) as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except Exception:
        state["broker"] = "unreachable"
    ready = all(value == "ok" for value in state.values())
    return JsonResponse(state, status=200 if ready else 503)
