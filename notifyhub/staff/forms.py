"""Forms for people, teams, roles and one's own profile."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.models import Permission
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from notifyhub.staff.models import Role, Team, User
from notifyhub.staff.roles import ROLES
from notifyhub.staff.services.roles import granted_by_code

# Aliases of old and of single-country spelling only make the list long.
_SKIPPED = ("Etc/", "SystemV/", "US/", "posix/", "right/")


def zone_choices() -> list[tuple[str, str]]:
    """Return the time zones to choose from: ours first, then by name."""
    names = sorted(n for n in available_timezones() if "/" in n and not n.startswith(_SKIPPED))
    first = settings.TIME_ZONE
    return [(first, first), ("UTC", "UTC"), *((n, n.replace("_", " ")) for n in names if n != first)]


def language_choices() -> list[tuple[str, Any]]:
    """Return the languages to choose from."""
    return [("", _("As the browser asks")), *settings.LANGUAGES]


class RoleChoice(forms.ModelMultipleChoiceField):
    """Roles by their names, in the order of the house."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=Role.objects.select_related("group").order_by("pk"), **kwargs)

    def label_from_instance(self, obj: Any) -> str:
        return str(ROLES.get(obj.code, obj.code))


class ZoneMixin(forms.Form):
    """Choose language and time zone from lists."""

    language = forms.ChoiceField(
        label=_("Language"), choices=language_choices, required=False, widget=UnfoldAdminSelectWidget
    )
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=zone_choices, widget=UnfoldAdminSelect2Widget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A zone from before, or from a command, stays choosable.
        current = self.initial.get("time_zone") or settings.TIME_ZONE
        choices: Any = self.fields["time_zone"].choices  # type: ignore[attr-defined]
        if current not in {name for name, _label in choices}:
            self.fields["time_zone"].choices = [(current, current), *choices]  # type: ignore[attr-defined]
        self.initial.setdefault("time_zone", settings.TIME_ZONE)


class UserForm(ZoneMixin, forms.ModelForm):
    """One member of staff, with roles and teams."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=128,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    roles = RoleChoice(label=_("Roles"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget)
    team_list = forms.ModelMultipleChoiceField(
        label=_("Teams"),
        queryset=Team.objects.filter(active=True),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
    )

    class Meta:
        model = User
        fields = ("username", "display_name", "email", "language", "time_zone", "is_active", "is_superuser")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        user = self.instance
        if "password" in self.fields and user.pk:
            self.fields["password"].required = False
            self.fields["password"].help_text = _("Leave it empty to keep the present one.")
        if user.pk:
            self.initial["roles"] = list(Role.objects.filter(group__user=user).values_list("pk", flat=True))
            self.initial["team_list"] = list(user.memberships.values_list("team_id", flat=True))
            self.fields["team_list"].queryset = Team.objects.filter(active=True) | Team.objects.filter(  # type: ignore[attr-defined]
                pk__in=self.initial["team_list"]
            )
        self.initial.setdefault("password", "")
        # The instance holds the hash; the box starts empty.
        self.initial["password"] = ""

    def clean_password(self) -> str:
        """Keep an empty box from becoming a password."""
        return self.cleaned_data["password"] or ""

    def _post_clean(self) -> None:
        # The instance is only shown again, never saved: the service sets the password by its hash.
        hashed = self.instance.password
        super()._post_clean()  # type: ignore[misc]
        self.instance.password = hashed


class TeamForm(forms.ModelForm):
    """One team with its people."""

    people = forms.ModelMultipleChoiceField(
        label=_("Members"),
        queryset=User.objects.filter(is_active=True).order_by("username"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
    )
    leads = forms.ModelMultipleChoiceField(
        label=_("Leads"),
        queryset=User.objects.filter(is_active=True).order_by("username"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
        help_text=_("Whoever leads a team is a member of it."),
    )

    class Meta:
        model = Team
        fields = ("name", "department", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            rows = list(self.instance.memberships.values_list("user_id", "leads"))
            self.initial["people"] = [pk for pk, _leads in rows]
            self.initial["leads"] = [pk for pk, leads in rows if leads]
            # Somebody deactivated stays a member until taken out.
            everybody = User.objects.order_by("username")
            kept = everybody.filter(is_active=True) | everybody.filter(pk__in=self.initial["people"])
            for name in ("people", "leads"):
                self.fields[name].queryset = kept  # type: ignore[attr-defined]


APPS = ["campaigns", "feedback", "reminders", "customers", "coupons", "messaging", "staff"]
WORDS = {"view": _("see"), "add": _("add"), "change": _("change"), "delete": _("delete")}


def say_permission(permission: Permission) -> str:
    """Return what the permission allows, in the reader's language, without the thing it is about."""
    model = permission.content_type.model_class()
    verb, _underscore, rest = permission.codename.partition("_")
    if model is not None and rest == model._meta.model_name and verb in WORDS:
        return str(WORDS[verb])
    return translate(permission.name)


def thing_of(permission: Permission) -> str:
    """Return what the permission is about."""
    model = permission.content_type.model_class()
    return str(model._meta.verbose_name_plural) if model else permission.content_type.model


def grantable_permissions() -> list[Permission]:
    """Return the permissions that the apps hand to some role, and those that some role has."""
    handed = set().union(*granted_by_code().values())
    rows = Permission.objects.select_related("content_type").order_by(
        "content_type__app_label", "content_type__model", "codename"
    )
    held = set(Permission.objects.filter(group__role__isnull=False).values_list("pk", flat=True))
    return [row for row in rows if row.pk in held or _name(row) in handed]


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def _rank(permission: Permission) -> tuple[int, int, int]:
    kind = permission.content_type
    verb, _underscore, rest = permission.codename.partition("_")
    plain = list(WORDS).index(verb) if rest == kind.model and verb in WORDS else len(WORDS)
    return APPS.index(kind.app_label) if kind.app_label in APPS else len(APPS), kind.pk, plain


def permission_choices() -> list[tuple[str, list[tuple[int, str]]]]:
    """Return the permissions to choose from, grouped by what they are about."""
    groups: dict[str, list[tuple[int, str]]] = {}
    # See, add, change, delete, then what is peculiar to the thing.
    for row in sorted(grantable_permissions(), key=_rank):
        groups.setdefault(thing_of(row), []).append((row.pk, say_permission(row)))
    return list(groups.items())


class PermissionGrid(forms.CheckboxSelectMultiple):
    """Check boxes, a line for each thing."""

    template_name = "staff/permission_grid.html"


class RoleForm(forms.ModelForm):
    """What one role may do."""

    permissions = forms.TypedMultipleChoiceField(
        label=_("May"), choices=permission_choices, coerce=int, required=False, widget=PermissionGrid
    )

    class Meta:
        model = Role
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            held = self.instance.group.permissions.values_list("pk", flat=True)
            self.initial["permissions"] = sorted(held)


class ProfileForm(ZoneMixin, forms.ModelForm):
    """What everybody may change about themselves."""

    class Meta:
        model = User
        fields = ("display_name", "language", "time_zone")
        widgets = {"display_name": UnfoldAdminTextInputWidget}
