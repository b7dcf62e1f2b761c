"""One row that is switched on, off or away, by POST."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from notifyhub.core.admin.pages import PageMixin
from notifyhub.core.errors import Refused


class SwitchPage(PageMixin):
    """Calls the service behind the verb, says what was done or why not, and goes back to the row's page.

    `switches` is {verb: (service, what to say)}; `argument` is what the services call the row's id.
    """

    http_method_names = ["post"]
    model: type[Model]
    argument = "rule_id"
    switches: dict[str, tuple[Callable[..., Any], Any]] = {}

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        get_object_or_404(self.model, pk=pk)
        if verb not in self.switches:
            raise Http404
        service, done = self.switches[verb]
        try:
            service(**{self.argument: pk})
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, done)
        return redirect(f"admin:{self.model._meta.label_lower.replace('.', '_')}_change", pk)
