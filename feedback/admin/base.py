"""What the pages of customer service share."""

from typing import Any

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from feedback.models import Case
from notifyhub.core.admin.pages import PageMixin


class ServicePage(PageMixin):
    """A page about cases: signed-in staff who may see some."""

    permission_required: Any = "feedback.view_case"

    def base_crumbs(self) -> list[tuple[Any, str]]:
        """Return the way here: service, cases."""
        return [
            (_("Customer service"), f"{reverse('admin:index')}?board=service"),
            (_("Cases"), reverse("admin:feedback_case_changelist")),
        ]

    def get_case(self, pk: int) -> Case:
        """Return the case through what the viewer may see; 404 for all others."""
        rows = Case.objects.visible_to(self.request.user)
        case = (
            rows.select_related("category__parent__parent", "customer", "owner", "team").filter(pk=pk).first()
        )
        if case is None:
            raise Http404
        return case


def is_htmx(request: HttpRequest) -> bool:
    """Say whether htmx asks, so that a part of a page is enough."""
    return request.headers.get("HX-Request") == "true"
