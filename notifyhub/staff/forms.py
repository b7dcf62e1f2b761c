"""Forms for people, teams, roles and one's own profile."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.models import Group, Permission
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
        label=_("language"), choices=language_choices, required=False, widget=UnfoldAdminSelectWidget
    )
    time_zone = forms.ChoiceField(label=_("time zone"), choices=zone_choices, widget=UnfoldAdminSelect2Widget)

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
        label=_("password"),
        strip=False,
        max_length=128,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    roles = RoleChoice(label=_("roles"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget)
    team_list = forms.ModelMultipleChoiceField(
        label=_("teams"),
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
        label=_("members"),
        queryset=User.objects.filter(is_active=True).order_by("username"),
        required=False,
        widget=UnfoldAdminSelect2MultipleWidget,
    )
    leads = forms.ModelMultipleChoiceField(
        label=_("leads"),
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


class PermissionChoice(forms.ModelMultipleChoiceField):
    """Permissions in words of the reader's language."""

    WORDS = {"view": _("see"), "add": _("add"), "change": _("change"), "delete": _("delete")}

    def label_from_instance(self, obj: Any) -> str:
        model = obj.content_type.model_class()
        thing = str(model._meta.verbose_name_plural) if model else obj.content_type.model
        verb, _space, rest = obj.codename.partition("_")
        plain = model is not None and rest == model._meta.model_name and verb in self.WORDS
        return f"{thing}: {self.WORDS[verb] if plain else translate(obj.name)}"


class GroupForm(forms.ModelForm):
    """What one role may do."""

    permissions = PermissionChoice(
        label=_("may"),
        queryset=Permission.objects.none(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Group
        fields = ("permissions",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "permissions" in self.fields:
            field: Any = self.fields["permissions"]
            field.queryset = grantable_permissions()


def grantable_permissions() -> Any:
    """Return the permissions that pages of the house ask for, by app and model."""
    ours = ("staff", "customers", "coupons", "messaging", "reminders", "campaigns", "feedback")
    own = Permission.objects.filter(content_type__app_label__in=ours)
    others = Permission.objects.filter(content_type__app_label="auth", codename__endswith="_group")
    beat = Permission.objects.filter(content_type__app_label="django_celery_beat")
    return (
        (own | others | beat)
        .exclude(content_type__model__startswith="historical")
        .select_related("content_type")
        .order_by("content_type__app_label", "content_type__model", "codename")
    )


class ProfileForm(ZoneMixin, forms.ModelForm):
    """What everybody may change about themselves."""

    class Meta:
        model = User
        fields = ("display_name", "language", "time_zone")
        widgets = {"display_name": UnfoldAdminTextInputWidget}
