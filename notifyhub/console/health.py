"""What load balancers and browsers ask before anything else."""

import time

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from kombu import Connection

from notifyhub.staff.doctor import check_canaries

# Web comes up before its workers do: a minute for them to start, and for the first canary to come through.
WARM_UP = 60
STARTED = time.monotonic()


def favicon(request: HttpRequest) -> HttpResponse:
    """Send browsers that ask for /favicon.ico to the icon."""
    return redirect(static("console/icon.svg"))


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while this process can answer at all."""
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when database and broker can be reached and canaries come through each queue, else 503 with
    what is wrong. While this process or the workers have just started, a canary that has not come yet is
    `warming up`, and ready; `slow` is one that waited long for a busy worker."""
    state = {"database": "ok", "broker": "ok", "canary": "ok"}
    try:
        state["canary"] = canary_state(up_for=time.monotonic() - STARTED)
    except DatabaseError:
        state["database"], state["canary"] = "unreachable", "unknown"
    try:
        with Connection(
            settings.BROKER_URL, connect_timeout=2, transport_options={"socket_timeout": 2}
        ) as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except Exception:
        state["broker"] = "unreachable"
    ready = all(value in ("ok", "warming up", "slow") for value in state.values())
    return JsonResponse(state, status=200 if ready else 503)


def canary_state(*, up_for: float) -> str:
    """Return what `/readyz` says of the canaries when this process has been up for so many seconds."""
    found = check_canaries()
    if found.level == "error":
        return "warming up" if up_for < WARM_UP else "late"
    if found.level == "warning":
        return "slow"
    return "warming up" if found.data.get("warming_up") else "ok"
