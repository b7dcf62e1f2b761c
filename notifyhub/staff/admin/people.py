"""Members of staff, teams, roles, and one's own profile."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from unfold.decorators import display

from notifyhub.core.admin import PageMixin, ServiceAdmin
from notifyhub.core.templatetags.nh import chip, when
from notifyhub.staff.forms import (
    ProfileForm,
    RoleForm,
    TeamForm,
    UserForm,
    say_permission,
    thing_of,
)
from notifyhub.staff.models import Role, Team, User
from notifyhub.staff.roles import ROLES
from notifyhub.staff.services import people

admin.site.unregister(Group)


class RoleFilter(admin.SimpleListFilter):
    """Members of staff with one role."""

    title = gettext_lazy("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, str(name)) for code, name in ROLES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        return queryset.filter(groups__role__code=self.value()) if self.value() else queryset


class ProfilePage(PageMixin, FormView):
    """One's own name, language and time zone."""

    template_name = "staff/profile.html"
    form_class = ProfileForm
    title = gettext_lazy("My profile")

    def get_form_kwargs(self) -> dict[str, Any]:
        # A fresh row: the form writes what was typed into its instance, which must not be the viewer.
        return {**super().get_form_kwargs(), "instance": get_object_or_404(User, pk=self.request.user.pk)}

    def form_valid(self, form: Any) -> HttpResponse:
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        people.update_profile(user=self.request.user, changes=changes)  # type: ignore[arg-type]
        messages.success(self.request, _("Your profile is saved."))
        response = redirect("admin:staff_profile")
        if "language" in changes:
            # The language menu's cookie goes before the profile; the newest choice is this one.
            response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        memberships = self.request.user.memberships.select_related("team")  # type: ignore[union-attr]
        codes = Role.objects.filter(group__user=self.request.user.pk).values_list("code", flat=True)
        roles = [ROLES.get(code, code) for code in codes]
        return super().get_context_data(memberships=memberships, roles=roles, **kwargs)


@admin.register(User)
class UserAdmin(ServiceAdmin):
    """Who works here, in which roles and teams."""

    form = UserForm
    list_display = ("name", "username", "shown_roles", "shown_teams", "state", "seen")
    list_display_links = ("name",)
    list_filter = ("is_active", RoleFilter)
    search_fields = ("username", "display_name", "email")
    ordering = ("username",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        roles = Prefetch("groups", queryset=Group.objects.select_related("role"))
        return super().get_queryset(request).prefetch_related(roles, "teams")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        writes = self._may_write(request, obj)
        account = ["username", "display_name", "email", *(["password"] if writes else []), "is_active"]
        if request.user.is_superuser:
            account.append("is_superuser")
        work = ["roles", "team_list"] if writes else ["shown_roles", "shown_teams"]
        return [
            (None, {"fields": account}),
            (_("Work"), {"fields": work}),
            (_("Preferences"), {"fields": ["language", "time_zone"]}),
        ]

    def _may_write(self, request: HttpRequest, obj: Any) -> bool:
        if obj is None:
            return self.has_add_permission(request)
        return self.has_change_permission(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        superuser = bool(request.user.is_superuser)
        own = obj is not None and obj.pk == request.user.pk

        class ViewerForm(form):  # type: ignore[misc, valid-type]
            def __init__(self, *args: Any, **form_kwargs: Any) -> None:
                super().__init__(*args, **form_kwargs)
                if not superuser and own and "roles" in self.fields:
                    self.fields["roles"].disabled = True
                    self.fields["roles"].help_text = _("Another administrator changes your roles.")

        return ViewerForm

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if self._may_write(request, obj):
            return ()
        return ("shown_roles", "shown_teams")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or not obj.is_superuser or bool(request.user.is_superuser))

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(ProfilePage.as_view(model_admin=self))
        return [path("me/", page, name="staff_profile"), *super().get_urls()]

    def create_object(self, request: HttpRequest, data: dict[str, Any]) -> Any:
        return people.create_user(by=request.user, **data)  # type: ignore[arg-type]

    def update_object(
        self, request: HttpRequest, obj: Any, changes: dict[str, Any], version: int | None
    ) -> None:
        people.update_user(by=request.user, user_id=obj.pk, changes=changes)  # type: ignore[arg-type]

    @display(description=gettext_lazy("name"), ordering="display_name")
    def name(self, user: User) -> str:
        return str(user)

    @display(description=gettext_lazy("roles"))
    def shown_roles(self, user: User) -> str:
        names = [str(group.role) for group in user.groups.all() if hasattr(group, "role")]
        return ", ".join(names) or (_("Superuser") if user.is_superuser else "—")

    @display(description=gettext_lazy("teams"))
    def shown_teams(self, user: User) -> str:
        return ", ".join(team.name for team in user.teams.all()) or "—"

    @display(description=gettext_lazy("state"), ordering="is_active")
    def state(self, user: User) -> str:
        return chip(_("Active"), "green") if user.is_active else chip(_("Deactivated"), "grey")

    @display(description=gettext_lazy("last signed in"), ordering="last_login")
    def seen(self, user: User) -> str:
        return when(user.last_login)


@admin.register(Team)
class TeamAdmin(ServiceAdmin):
    """Departments and groups, with who is in them."""

    form = TeamForm
    fields = ("name", "department", "active", "people", "leads")
    list_display = ("name", "department", "size", "active")
    list_filter = ("department", "active")
    search_fields = ("name",)
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        members = Count("memberships", filter=Q(memberships__user__is_active=True))
        return super().get_queryset(request).annotate(people_count=members)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        writes = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return self.fields if writes else ("name", "department", "active", "shown_people")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        writes = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return () if writes else ("shown_people",)

    def create_object(self, request: HttpRequest, data: dict[str, Any]) -> Any:
        return people.create_team(**data)

    def update_object(
        self, request: HttpRequest, obj: Any, changes: dict[str, Any], version: int | None
    ) -> None:
        people.update_team(team_id=obj.pk, changes=changes)

    @display(description=gettext_lazy("members"), ordering="people_count")
    def size(self, team: Any) -> int:
        return team.people_count

    @display(description=gettext_lazy("members"))
    def shown_people(self, team: Team) -> str:
        return ", ".join(str(m.user) for m in team.memberships.select_related("user")) or "—"


@admin.register(Role)
class RoleAdmin(ServiceAdmin):
    """Roles: who has them, what they may do."""

    form = RoleForm
    list_display = ("role_name", "people", "grants")
    list_display_links = ("role_name",)
    ordering = ("pk",)
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        rows = super().get_queryset(request).select_related("group")
        return rows.annotate(
            people_count=Count("group__user", distinct=True, filter=Q(group__user__is_active=True)),
            grant_count=Count("group__permissions", distinct=True),
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        writes = self.has_change_permission(request, obj)
        return ("role_name", "permissions") if writes else ("role_name", "shown_grants")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("role_name", "shown_grants")

    def update_object(
        self, request: HttpRequest, obj: Any, changes: dict[str, Any], version: int | None
    ) -> None:
        if "permissions" in changes:
            people.update_role(
                by=request.user,  # type: ignore[arg-type]
                role_id=obj.pk,
                permission_ids=changes["permissions"],
            )

    @display(description=gettext_lazy("role"))
    def role_name(self, role: Role) -> str:
        return str(role)

    @display(description=gettext_lazy("people"))
    def people(self, role: Any) -> int:
        return role.people_count

    @display(description=gettext_lazy("permissions"))
    def grants(self, role: Any) -> int:
        return role.grant_count

    @display(description=gettext_lazy("may"))
    def shown_grants(self, role: Role) -> str:
        rows = role.group.permissions.select_related("content_type").order_by("content_type", "codename")
        return "\n".join(f"{thing_of(row)}: {say_permission(row)}" for row in rows) or "—"
