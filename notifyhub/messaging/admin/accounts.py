"""Provider accounts: the list, and the page of one."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.decorators import display

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.core.templatetags.nh import chip
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.admin.account_form import PREFIX, AccountForm
from notifyhub.messaging.admin.templates.create import dressed
from notifyhub.messaging.channels.base import Backend
from notifyhub.messaging.channels.registry import backends, backends_for
from notifyhub.messaging.looks import CHANNEL_ICONS
from notifyhub.messaging.models import AccountGate, ProviderAccount
from notifyhub.messaging.services.accounts import (
    PLAIN,
    create_account,
    secrets_set,
    settings_of,
    update_account,
    usual_hours,
)
from notifyhub.messaging.services.circuits import who_serves
from notifyhub.messaging.services.receipts import receipt_address

# Kept in memory for tests and benches; nobody configures it by hand.
HIDDEN = frozenset({"memory"})
CIRCUIT_TONES = {"closed": "green", "open": "red", "half_open": "orange"}


class AccountPage(PageMixin, FormView):
    """One account, new (?channel=…&backend=…) or known (pk)."""

    template_name = "messaging/account.html"

    def get_permission_required(self) -> tuple[str, ...]:
        if self.request.method == "GET" and self.kwargs.get("pk"):
            return ("messaging.view_provideraccount",)
        return (f"messaging.{'change' if self.kwargs.get('pk') else 'add'}_provideraccount",)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.account = None
        if kwargs.get("pk"):
            try:
                self.account = ProviderAccount.objects.filter(pk=int(kwargs["pk"])).first()
            except (ValueError, OverflowError):
                self.account = None
            if self.account is None:
                raise Http404
        source = self.account or request.GET
        self.channel = self.account.channel if self.account else source.get("channel", "")  # type: ignore[union-attr]
        code = self.account.backend if self.account else source.get("backend", "")  # type: ignore[union-attr]
        self.backend = backends.get(code)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.account is None and self.backend not in self._offered():
            return self.render_to_response(self.choice_context())
        return super().get(request, *args, **kwargs)

    def _offered(self) -> list[type[Backend]]:
        return [one for one in backends_for(self.channel) if one.code not in HIDDEN]

    def choice_context(self) -> dict[str, Any]:
        """Return every channel with the backends that can serve it."""
        offers = [
            (
                channel.value,
                channel.label,
                CHANNEL_ICONS[channel],
                [(one.code, one.label) for one in backends_for(channel.value) if one.code not in HIDDEN],
            )
            for channel in Channel
        ]
        return self._page(_("New provider account"), offers=offers)

    def _page(self, title: str, **context: Any) -> dict[str, Any]:
        self.title = title
        self.crumbs = [
            (_("Provider accounts"), reverse("admin:messaging_provideraccount_changelist")),
            (title, ""),
        ]
        return PageMixin.get_context_data(self, **{"form": None, **context})

    def get_form(self, form_class: Any = None) -> Any:
        if self.backend is None:
            raise Http404
        initial: dict[str, Any] = {}
        kept: set[str] = set()
        if self.account is not None:
            kept = secrets_set(self.account)
            initial = {PREFIX + name: value for name, value in settings_of(self.account).items()}
            initial |= {
                "name": self.account.name,
                "priority": self.account.priority,
                "rate_per_second": self.account.rate_per_second,
                "active": self.account.active,
                "open_from": self.account.open_from,
                "open_until": self.account.open_until,
                "opens_cases": self.account.opens_cases,
                "expected_version": self.account.version,
            }
        else:
            initial |= usual_hours(channel=self.channel, backend=self.backend.code)
        data = self.request.POST if self.request.method == "POST" else None
        return dressed(AccountForm(data, initial=initial, backend=self.backend, kept=kept))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.pop("form", None) or self.get_form()
        gate = AccountGate.objects.filter(account=self.account).first() if self.account else None
        may = self.request.user.has_perm(f"messaging.{'change' if self.account else 'add'}_provideraccount")
        return self._page(
            self.account.name if self.account else _("New provider account"),
            form=form,
            account=self.account,
            # A class in a template would be called.
            backend_label=self.backend.label if self.backend else "",
            channel_label=Channel(self.channel).label if self.channel in Channel.values else "",
            gate=gate,
            serving=who_serves([self.channel])[self.channel]
            if gate and gate.circuit != AccountGate.Circuit.CLOSED
            else None,
            hook_url=receipt_address(self.account) if self.account and may else "",
            gate_tone=CIRCUIT_TONES.get(gate.circuit, "grey") if gate else "grey",
            may_save=may,
            **kwargs,
        )

    def form_valid(self, form: Any) -> HttpResponse:
        data = form.cleaned_data
        plain = {name: data[name] for name in PLAIN if name in data}
        try:
            if self.account is not None:
                update_account(
                    account_id=self.account.pk,
                    version=data.get("expected_version"),
                    values=form.settings(),
                    cleared=form.cleared(),
                    **plain,
                )
            else:
                assert self.backend is not None
                create_account(
                    channel=self.channel, backend=self.backend.code, values=form.settings(), **plain
                )
        except Refused as refusal:
            field = refusal.field or ""
            place = next((one for one in (PREFIX + field, field) if one in form.fields), None)
            form.add_error(place, str(refusal))
            return self.form_invalid(dressed(form))
        messages.success(self.request, _("Saved."))
        return redirect("admin:messaging_provideraccount_changelist")


@admin.register(ProviderAccount)
class ProviderAccountAdmin(SimpleHistoryAdmin, ModelAdmin):
    """Accounts by channel, in the order in which they are tried."""

    list_display = (
        "name",
        "shown_channel",
        "shown_backend",
        "priority",
        "rate_per_second",
        "shown_circuit",
        "active",
    )
    list_filter = ("channel", "active")
    list_select_related = ("gate",)
    ordering = ("channel", "priority", "name")
    actions = None
    list_per_page = 25

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderAccount]:
        return super().get_queryset(request).defer("secrets")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return AccountPage.as_view(model_admin=self)(request)  # type: ignore[return-value]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return AccountPage.as_view(model_admin=self)(request, pk=object_id)  # type: ignore[return-value]

    @display(description=gettext_lazy("channel"), ordering="channel")
    def shown_channel(self, account: ProviderAccount) -> SafeString:
        return chip(account.get_channel_display(), "grey", CHANNEL_ICONS[Channel(account.channel)])

    @display(description=gettext_lazy("provider"))
    def shown_backend(self, account: ProviderAccount) -> str:
        found = backends.get(account.backend)
        return str(found.label) if found else account.backend

    @display(description=gettext_lazy("circuit"))
    def shown_circuit(self, account: ProviderAccount) -> SafeString | str:
        gate = getattr(account, "gate", None)
        if gate is None:
            return "—"
        return chip(gate.get_circuit_display(), CIRCUIT_TONES.get(gate.circuit, "grey"))
