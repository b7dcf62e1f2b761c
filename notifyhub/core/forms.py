"""Forms of our own pages: the house's classes on every widget, refusals beside their field."""

from typing import Any

from django import forms

from notifyhub.core.errors import Refused

_CLASSES: dict[type[forms.Widget], str] = {
    forms.CheckboxInput: "",
    forms.CheckboxSelectMultiple: "",
    forms.RadioSelect: "",
    forms.Select: "nh-select",
    forms.Textarea: "nh-textarea",
}


class PageForm(forms.Form):
    """A form rendered by `nh/field.html`; `refuse` shows a service's refusal at its field."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            kind = next((known for known in _CLASSES if isinstance(field.widget, known)), None)
            wanted = _CLASSES[kind] if kind else "nh-input"
            if wanted:
                field.widget.attrs["class"] = f"{field.widget.attrs.get('class', '')} {wanted}".strip()

    def refuse(self, refusal: Refused) -> None:
        """Show `refusal` at its field, or above the form."""
        self.add_error(refusal.field if refusal.field in self.fields else None, str(refusal))
