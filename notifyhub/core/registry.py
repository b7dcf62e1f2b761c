"""Registries by which an upper app shows itself on a lower app's pages, opened in `AppConfig.ready()`.

No upper app is ever imported from below: it hands in a callable or a description, and the lower page
asks the registry. Entries keep the order of their `order` number, then of registration.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Named entries, each registered once; registering a name again replaces it (for reloads)."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, T]] = {}

    def register(self, name: str, entry: T, *, order: int = 100) -> T:
        """Keep `entry` under `name` and return it."""
        self._entries[name] = (order, entry)
        return entry

    def get(self, name: str) -> T | None:
        """Return the entry called `name`, or None."""
        found = self._entries.get(name)
        return found[1] if found else None

    def items(self) -> list[tuple[str, T]]:
        """Return (name, entry) in display order."""
        ordered = sorted(self._entries.items(), key=lambda pair: pair[1][0])
        return [(name, entry) for name, (_, entry) in ordered]

    def __iter__(self) -> Iterator[T]:
        return (entry for _, entry in self.items())


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A card on somebody else's page, loaded lazily by htmx.

    `render(request, obj)` returns a SafeString; at most 5 queries. `permission` is a Django permission.
    """

    title: Any
    render: Callable[[Any, Any], str]
    permission: str | None = None
    column: str = "main"


@dataclass(frozen=True, kw_only=True)
class TimelineEntry:
    """One line of a customer's timeline."""

    at: datetime
    kind: str  # message, order, case, consent, event, coupon
    title: Any
    detail: Any = ""
    icon: str = "circle"
    chip: Any = ""
    tone: str = "grey"  # violet green orange red blue grey
    url: str = ""


class CaseSubject(NamedTuple):
    """Whom and which order a case is about: the `obj` of the panels that lower apps show on its page."""

    customer_id: int | None
    order_number: str


# `source(customer_id, before, limit, request)` returns entries older than `before`, newest first.
TimelineSource = Callable[..., Sequence[TimelineEntry]]

# `source(pairs, since, limit, request)` returns what was sent since then about each (customer id, subject),
# newest first; None if the viewer may not see it.
SubjectMessages = Callable[..., Sequence[TimelineEntry] | None]


@dataclass(frozen=True, kw_only=True)
class NavItem:
    """One entry of the sidebar. `section` is one of SECTIONS; `badge(request)` returns a number or None."""

    section: str
    title: Any
    icon: str
    url_name: str
    permission: str | None = None
    badge: Callable[[Any], int | str | None] | None = None
    active_prefixes: tuple[str, ...] = ()


SECTIONS = ("marketing", "service", "schedules", "customers", "messages", "system")


@dataclass(frozen=True, kw_only=True)
class SearchHit:
    """One line of the global search."""

    title: Any
    description: Any
    url: str
    icon: str = "search"


@dataclass(frozen=True, kw_only=True)
class DashboardCard:
    """A card on a dashboard. `boards` names the dashboards it belongs to (marketing, service, operations);
    `render(request)` returns a SafeString; it is loaded on its own, so that one failure stays alone."""

    boards: tuple[str, ...]
    title: Any
    render: Callable[[Any], str]
    width: int = 12  # of 12 columns
    permission: str | None = None
    refresh_seconds: int = 0
    headless: bool = False  # the card draws its own frame (the strip of numbers)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How a `kind` + `id` written as text becomes a title and a link."""

    label: Any
    resolve: Callable[[Iterable[str]], dict[str, tuple[str, str]]]  # ids -> {id: (title, url)}
    permission: str = ""  # who lacks it reads the kind alone, without title and link
    # What is sent for it in the reader's language, and what triggered that where nothing of it was stored.
    title: Callable[[str], Any] | None = None  # id -> title
    trigger: Callable[[str], Any] | None = None  # author -> trigger


@dataclass(frozen=True, kw_only=True)
class RoleGrant:
    """What one app grants to one role: Django permissions as "app_label.codename"."""

    role: str
    permissions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One result of a doctor check. `level` is ok, warning or error; `data` goes into `doctor --json`."""

    level: str
    message: Any
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """Periodic work: idempotent, run under a lease row; `run()` returns how much it did."""

    run: Callable[[], int]
    every_seconds: int
    label: Any


@dataclass(frozen=True, kw_only=True)
class PersonalData:
    """How one model that points to Customer is exported for, and erased with, its customer."""

    export: Callable[[int], Any]
    erase: Callable[[int], int]


@dataclass(frozen=True, kw_only=True)
class SealedColumn:
    """How a column of ciphertext is encrypted again under a new key.

    Each `EncryptedTextField` is known without an entry; an entry tells of other columns, or says more.
    `at_once` rows are read together; `key_field` names the column beside it that says the key; `oldest_by`
    orders the rows by age where the primary key does not. One that does not rotate keeps its key until its
    rows are deleted.
    """

    model: str  # label, "app_label.Model"
    field: str
    at_once: int = 1000
    key_field: str = ""
    oldest_by: str = ""
    rotates: bool = True


class PlannedSend(NamedTuple):
    """One sending that starts, or started, at a time: an entry of the calendar."""

    at: datetime
    title: Any
    people: int | None = None
    url: str = ""
    tone: str = "grey"
    label: Any = ""


@dataclass(frozen=True, kw_only=True)
class SegmentField:
    """A typed field of the audience rules, compiled to SQL.

    `compile(operator, value)` returns (sql, params): a boolean expression over the alias `c` of
    customers_customer. A field with a `group` is offered by the rule form under that heading; `unit` stands
    behind its numbers, `help` says what it means.
    """

    label: Any
    kind: str  # text, number, money, hour, date, choice, boolean, set, event
    operators: tuple[str, ...]
    compile: Callable[[str, Any], tuple[str, list[Any]]]
    choices: Callable[[], Sequence[tuple[Any, Any]]] | None = None
    group: Any = ""
    unit: Any = ""
    help: Any = ""


customer_panels: Registry[Panel] = Registry()
customer_actions: Registry[Callable[[Any, Any], dict[str, Any] | None]] = Registry()
customer_timeline: Registry[TimelineSource] = Registry()
subject_messages: Registry[SubjectMessages] = Registry()
delivery_panels: Registry[Panel] = Registry()
case_panels: Registry[Panel] = Registry()  # rendered with a CaseSubject
navigation: Registry[NavItem] = Registry()
search: Registry[Callable[[Any, str], Sequence[SearchHit]]] = Registry()
dashboard_cards: Registry[DashboardCard] = Registry()
origins: Registry[Origin] = Registry()
role_grants: Registry[Sequence[RoleGrant]] = Registry()
doctor_checks: Registry[Callable[[], Finding]] = Registry()
demo_loaders: Registry[Callable[[Callable[[str], None]], None]] = Registry()
ticks: Registry[Tick] = Registry()
personal_data: Registry[PersonalData] = Registry()  # by model label, "app_label.Model"
sealed_columns: Registry[SealedColumn] = Registry()  # by "app_label.Model.field"
segment_fields: Registry[SegmentField] = Registry()
planned_sends: Registry[Callable[[datetime, datetime], Sequence[PlannedSend]]] = Registry()
# HTML that an app adds to every page of the console (the quick log's dialog), by request; "" for nothing.
chrome: Registry[Callable[[Any], str]] = Registry()
