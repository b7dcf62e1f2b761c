"""A model page whose writes go through services.

`save()` would write every column and put a concurrently moved status back, so the form's changed fields
and the version it was opened with are handed to a service, which makes one guarded UPDATE.
"""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from notifyhub.core.admin.ledger import CappedPaginator
from notifyhub.core.errors import Refused

VERSION_FIELD = "expected_version"


class ServiceAdmin(ModelAdmin):
    """A ModelAdmin that creates and changes rows only by `create_object` and `update_object`.

    A `Refused` from either comes back as a form error beside its field, with the typed text kept.
    Deleting is off; verbs that retire a row are actions of the concrete page.
    """

    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 25
    actions: Any = None
    warn_unsaved_form = True

    def create_object(self, request: HttpRequest, data: dict[str, Any]) -> Any:
        """Create by service from all cleaned fields; return the new row."""
        raise Refused(f"{self.opts.verbose_name} cannot be added here.")

    def update_object(
        self, request: HttpRequest, obj: Any, changes: dict[str, Any], version: int | None
    ) -> None:
        """Apply the changed fields by service; `version` is what the page was opened with."""
        raise Refused(f"{self.opts.verbose_name} cannot be changed here.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def _versioned(self) -> bool:
        return any(field.name == "version" for field in self.opts.fields)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if kwargs.get("fields"):
            kwargs["fields"] = [name for name in kwargs["fields"] if name != VERSION_FIELD]
        base = super().get_form(request, obj, change=change, **kwargs)
        refusal: Refused | None = getattr(request, "service_refusal", None)
        versioned = change and obj is not None and self._versioned()

        class ServiceForm(base):  # type: ignore[misc, valid-type]
            def __init__(form, *args: Any, **form_kwargs: Any) -> None:
                super().__init__(*args, **form_kwargs)
                if versioned:
                    form.fields[VERSION_FIELD] = forms.IntegerField(
                        widget=forms.HiddenInput, required=False, initial=obj.version
                    )

            def clean(form) -> Any:
                cleaned = super().clean()
                if refusal is not None:
                    form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
                return cleaned

        return ServiceForm

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = list(super().get_fieldsets(request, obj))
        if obj is not None and self._versioned() and self.has_change_permission(request, obj):
            name, options = fieldsets[0]
            fields = (*options["fields"], VERSION_FIELD)
            fieldsets[0] = (name, {**options, "fields": fields})
        return fieldsets

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refused as refusal:
            # The transaction of the first pass is rolled back; the second one validates the same POST again
            # and shows it with the refusal in place.
            request.service_refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        data = {name: value for name, value in form.cleaned_data.items() if name != VERSION_FIELD}
        if change:
            changes = {name: data[name] for name in form.changed_data if name in data}
            self.update_object(request, obj, changes, form.cleaned_data.get(VERSION_FIELD))
        else:
            created = self.create_object(request, data)
            obj.pk = created.pk
            obj.refresh_from_db()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing: related rows are the service's business too."""
