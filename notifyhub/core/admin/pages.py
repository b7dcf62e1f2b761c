"""Own pages under the admin: the site's chrome, a permission, and the object through a scoped queryset."""

from typing import Any

from django.contrib.auth.mixins import PermissionRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.views.generic.base import ContextMixin, View


class PageMixin(PermissionRequiredMixin, ContextMixin, View):
    """A page of a ModelAdmin: `SomePage.as_view(model_admin=self)` wrapped in `admin_site.admin_view`.

    Set `permission_required` (a name, several, or () for any member of staff), `title` and `crumbs`
    (pairs of title and URL; "" for none). Signed-in staff without the permission get a 403 page.
    """

    model_admin: Any = None
    title: Any = ""
    crumbs: Any = ()
    permission_required: Any = ()
    raise_exception = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not (request.user.is_active and getattr(request.user, "is_staff", False)):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        site = self.model_admin.admin_site
        self.request.current_app = site.name
        context = {
            **site.each_context(self.request),
            "model_admin": self.model_admin,
            "title": self.title,
            "crumbs": self.crumbs or [(self.title, "")],
            "is_fullwidth": "1",
            **kwargs,
        }
        return super().get_context_data(**context)
