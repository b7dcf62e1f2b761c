"""API keys: made here, shown once, limited, counted, revoked."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from notifyhub.core.admin import ServiceAdmin
from notifyhub.core.errors import Refused
from notifyhub.core.templatetags.nh import chip, number, when
from notifyhub.staff.models import ApiKey, ApiUsage
from notifyhub.staff.scopes import SCOPES
from notifyhub.staff.services.api_keys import create_api_key, revoke_api_key, update_api_key


class ApiKeyForm(forms.ModelForm):
    """Name, scopes as words, owner, limit."""

    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("May"),
        choices=lambda: [(scope, f"{words} ({scope})") for scope, words in SCOPES.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "owner", "owner_team", "per_minute", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("owner", "owner_team"):
            if name in self.fields:
                self.fields[name].required = False
        if limit := self.fields.get("per_minute"):
            limit.validators += [MinValueValidator(1), MaxValueValidator(100_000)]

    def clean_expires_at(self) -> Any:
        """Return the end; it lies ahead when it was changed."""
        end = self.cleaned_data["expires_at"]
        if end and "expires_at" in self.changed_data and end <= timezone.now():
            raise forms.ValidationError(_("Choose a time that lies ahead."))
        return end


@admin.register(ApiKey)
class ApiKeyAdmin(ServiceAdmin):
    """Programs that may use the API."""

    form = ApiKeyForm
    fields = ("name", "scopes", "owner", "owner_team", "per_minute", "expires_at")
    list_display = ("name", "shown_prefix", "shown_scopes", "owned_by", "today", "used", "ends", "state")
    list_select_related = ("owner", "owner_team")
    search_fields = ("name", "prefix")
    ordering = ("name",)
    change_form_outer_after_template = "staff/api_key_after.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        day = ApiUsage.objects.filter(key=OuterRef("pk"), minute__gte=timezone.now() - timedelta(days=1))
        total = day.order_by().values("key").annotate(total=Sum("count")).values("total")
        return super().get_queryset(request).annotate(requests_today=Subquery(total))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk, "per_minute": 600}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.revoked_at is None)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return ("name", "shown_prefix", "shown_scopes", "owner", "owner_team", "per_minute", "expires_at")
        return self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("shown_prefix", "shown_scopes")

    def get_urls(self) -> list[Any]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        return [path("<int:pk>/revoke/", revoke, name="staff_apikey_revoke"), *super().get_urls()]

    def create_object(self, request: HttpRequest, data: dict[str, Any]) -> Any:
        key, token = create_api_key(**data)
        request.new_token = token  # type: ignore[attr-defined]
        return key

    def update_object(
        self, request: HttpRequest, obj: Any, changes: dict[str, Any], version: int | None
    ) -> None:
        update_api_key(key_id=obj.pk, changes=changes, version=version)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """Answer with the token itself: a redirect would have to keep it somewhere."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("API key created"),
            "key": obj,
            "token": request.new_token,  # type: ignore[attr-defined]
            "crumbs": [(_("API keys"), ".."), (obj.name, "")],
        }
        response = render(request, "staff/api_key_created.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        key = self.get_object(request, object_id)
        extra = {"usage": _usage(key) if key else [], "api_key": key}
        if key is not None:
            extra["may_revoke"] = self.has_change_permission(request, key)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Revoke on POST and return to the key's page."""
        key = get_object_or_404(self.get_queryset(request), pk=pk)
        if not super().has_change_permission(request, key):
            raise PermissionDenied
        if request.method == "POST":
            try:
                revoke_api_key(key_id=key.pk, reason=request.POST.get("reason", ""))
                messages.success(request, _("“%(name)s” is revoked.") % {"name": key.name})
            except Refused as refusal:
                messages.warning(request, str(refusal))
        return redirect("admin:staff_apikey_change", key.pk)

    @display(description=gettext_lazy("prefix"))
    def shown_prefix(self, key: ApiKey) -> str:
        return f"nh_{key.prefix}…"

    @display(description=gettext_lazy("may"))
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(str(SCOPES.get(scope, scope)) for scope in key.scopes)

    @display(description=gettext_lazy("owner"))
    def owned_by(self, key: ApiKey) -> str:
        return " · ".join(str(part) for part in (key.owner, key.owner_team) if part) or "—"

    @display(description=gettext_lazy("requests, 24 h"), ordering="requests_today")
    def today(self, key: Any) -> str:
        return number(key.requests_today or 0)

    @display(description=gettext_lazy("last used"), ordering="last_used_at")
    def used(self, key: ApiKey) -> str:
        return when(key.last_used_at)

    @display(description=gettext_lazy("ends"), ordering="expires_at")
    def ends(self, key: ApiKey) -> str:
        return when(key.expires_at)

    @display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            return chip(_("Revoked"), "red")
        if key.expires_at and key.expires_at <= timezone.now():
            return chip(_("Expired"), "grey")
        return chip(_("Active"), "green")


def _usage(key: ApiKey) -> list[dict[str, Any]]:
    """Return the key's requests by hour over the last day, newest first."""
    rows = ApiUsage.objects.filter(key=key, minute__gte=timezone.now() - timedelta(days=1))
    hours = rows.annotate(hour=TruncHour("minute")).values("hour").annotate(total=Sum("count"))
    found = list(hours.order_by("-hour"))
    top = max((row["total"] for row in found), default=0)
    return [{**row, "top": top} for row in found]
