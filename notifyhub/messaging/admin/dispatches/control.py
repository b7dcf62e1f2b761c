"""Pause, resume, cancel: each a POST that returns to the page with a word on it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.messaging.admin.dispatches.page import TYPED_ABOVE, dispatch_or_404
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.services.dispatches import (
    cancel_dispatch,
    pause_dispatch,
    progress,
    resume_dispatch,
)


class Control(PageMixin):
    """A POST that moves a dispatch and returns to its page with a word on it."""

    permission_required = "messaging.control_dispatch"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        dispatch = dispatch_or_404(request, pk)
        try:
            messages.success(request, self.act(request, dispatch))
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect("admin:messaging_dispatch_change", dispatch.pk)

    def act(self, request: HttpRequest, dispatch: Dispatch) -> str:
        """Do it; return what to say."""
        raise Refused(_("This cannot be done."))


class Pause(Control):
    """Stops handing over."""

    def act(self, request: HttpRequest, dispatch: Dispatch) -> str:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            raise Refused(_("Say why, so that a colleague knows what to wait for."))
        pause_dispatch(dispatch_id=dispatch.pk, reason=reason)
        return _("Paused. What is at the provider already still goes out.")


class Resume(Control):
    """Goes on."""

    def act(self, request: HttpRequest, dispatch: Dispatch) -> str:
        resume_dispatch(dispatch_id=dispatch.pk)
        return _("It goes on.")


class Cancel(Control):
    """Ends it; a large rest asks for its number typed."""

    def act(self, request: HttpRequest, dispatch: Dispatch) -> str:
        rest = progress(dispatch_id=dispatch.pk).open
        typed = "".join(char for char in request.POST.get("count", "") if char.isdigit())
        shown = request.POST.get("shown", "")
        if rest > TYPED_ABOVE and (not typed or typed != shown):
            raise Refused(_("Type the number of messages that are cancelled; nothing was cancelled."))
        cancel_dispatch(dispatch_id=dispatch.pk, reason=request.POST.get("reason", "").strip())
        return _("Cancelled: nothing more goes out.")
