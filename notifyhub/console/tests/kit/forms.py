"""The forms of a page, with the values a browser would send."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

Attributes = list[tuple[str, str | None]]
TICKED = ("checkbox", "radio")


@dataclass
class Form:
    """One form: where it goes, what it offers, what it would send untouched."""

    action: str
    by_htmx: bool = False
    values: dict[str, list[str]] = field(default_factory=dict)
    #: The values that each name can take; empty for what one types freely.
    offered: dict[str, list[str]] = field(default_factory=dict)

    def filled(self, typed: dict[str, str | list[str]]) -> dict[str, list[str]]:
        """Return what is sent with these fields filled in; fail for what a person could not choose."""
        answer = dict(self.values)
        for name, value in typed.items():
            assert name in self.offered, f"{self.action} has no field {name}, only {sorted(self.offered)}"
            wanted = value if isinstance(value, list) else [value]
            choices = self.offered[name]
            assert not choices or set(wanted) <= set(choices), f"{name} offers {choices}, not {wanted}"
            answer[name] = wanted
        return answer


class _Reader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.forms: list[Form] = []
        self.form: Form | None = None
        self.select = ""
        self.text_of = ""
        self.fresh = False

    def handle_starttag(self, tag: str, attributes: Attributes) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "form":
            target = found.get("hx-post") or found.get("action") or self.address
            self.form = Form(action=target, by_htmx="hx-post" in found)
            self.forms.append(self.form)
        elif self.form is not None and "disabled" not in found:
            self._field(self.form, tag, found)

    def _field(self, form: Form, tag: str, found: dict[str, str]) -> None:
        name, value = found.get("name", ""), found.get("value", "")
        if tag == "option" and self.select:
            form.offered[self.select].append(value)
            # A browser sends the first choice when none is marked.
            if "selected" in found or self.fresh:
                form.values[self.select] = [value]
            self.fresh = self.fresh and "selected" not in found and self.select not in form.values
        elif not name:
            return
        elif tag == "select":
            self.select, self.fresh = name, "multiple" not in found
            form.offered.setdefault(name, [])
        elif tag == "textarea":
            self.text_of = name
            form.offered[name], form.values[name] = [], [""]
        elif tag == "button":
            form.offered.setdefault(name, []).append(value)
        elif tag == "input" and found.get("type") in TICKED:
            form.offered.setdefault(name, []).append(value or "on")
            if "checked" in found:
                form.values.setdefault(name, []).append(value or "on")
        elif tag == "input":
            form.offered[name] = []
            if found.get("type") != "file":
                form.values.setdefault(name, []).append(value)

    def handle_data(self, data: str) -> None:
        if self.form is not None and self.text_of:
            # HTML drops the line break right behind the opening tag.
            self.form.values[self.text_of] = [self.form.values[self.text_of][0] + data]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None
        elif tag == "select":
            self.select = ""
        elif tag == "textarea":
            self.text_of = ""


def read_forms(html: str, *, address: str) -> list[Form]:
    """Return the forms of a page that was found at `address`."""
    reader = _Reader(address)
    reader.feed(html)
    return reader.forms
