"""Two small API views, to test what every view stands on."""

from typing import Any

from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from notifyhub.core.errors import Refused
from notifyhub.staff.idempotency import IdempotentMixin
from notifyhub.staff.models import Team


class TeamsView(IdempotentMixin, APIView):
    """Make a team; the name decides how it goes."""

    required_scope = "events:write"

    def get(self, request: Any) -> Response:
        return Response({"teams": Team.objects.count()})

    def post(self, request: Any) -> Response:
        name = request.data["name"]
        team = Team.objects.create(name=f"{name} {Team.objects.count()}", department="other")
        if name == "refused":
            raise Refused("No such team.", field="name")
        if name == "broken":
            raise ZeroDivisionError
        return Response({"id": team.pk}, status=201)


urlpatterns = [path("teams", TeamsView.as_view())]
