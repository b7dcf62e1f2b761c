"""The Liquid dialect of templates: no files, no attributes, bounded in loops, memory and output.

A template is a program written by staff and run once per recipient, so everything it may cost is bounded:
a text that passes its bounds is a RenderError of that row and harms no other.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from liquid import Environment, RenderContext
from liquid.exceptions import LiquidError, LoopIterationLimitError
from liquid.template import BoundTemplate

from notifyhub.messaging.channels.base import Page
from notifyhub.messaging.rendering.fast import Fill, FillPage, compile_page, compile_template, page_of
from notifyhub.messaging.rendering.limits import (
    DATE_FORMAT_LENGTH,
    LOOPS,
    LOOPS_IN_ALL,
    NAMESPACE_BYTES,
    OUTPUT_BYTES,
    VALUE_LENGTH,
)

FORBIDDEN_TAGS = ("include", "render", "tablerow", "increment", "decrement", "ifchanged")
# `safe` would let a customer's own words become HTML; the others have no use in a message.
FORBIDDEN_FILTERS = (
    "safe",
    "escapejs",
    "base64_encode",
    "base64_decode",
    "base64_url_safe_encode",
    "base64_url_safe_decode",
    "sum",
    "find",
    "find_index",
    "has",
    "reject",
)
LINK_SCHEMES = ("https://", "http://", "mailto:", "tel:")


class RenderError(Exception):
    """A text cannot be filled in: its syntax is wrong or it passes a limit. The message is for staff."""

    def __init__(self, message: Any, *, line: int | None = None) -> None:
        super().__init__(str(message))
        self.line = line


class _Context(RenderContext):
    """Counts the rounds of all loops together; Liquid itself bounds only nested ones."""

    rounds = 0

    def raise_for_loop_limit(self, length: int = 1) -> None:
        super().raise_for_loop_limit(length)
        self.rounds += length
        if self.rounds > LOOPS_IN_ALL:
            raise LoopIterationLimitError("loop iteration limit reached", token=None)


class _Template(BoundTemplate):
    context_class = _Context


class _Environment(Environment):
    template_class = _Template
    loop_iteration_limit = LOOPS
    output_stream_limit = OUTPUT_BYTES
    local_namespace_limit = NAMESPACE_BYTES
    block_nesting_limit = 12
    context_depth_limit = 20


def _too_large(value: Any) -> bool:
    if type(value) is str:
        return len(value) > VALUE_LENGTH
    if isinstance(value, str | list | tuple | range):
        return len(value) > VALUE_LENGTH
    return isinstance(value, int) and value.bit_length() > 256


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` refusing to take or give a value beyond the limits."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        for value in args:
            if _too_large(value):
                raise LiquidError("a value is too large", token=None)
        result = function(*args, **kwargs)
        if _too_large(result):
            raise LiquidError("a value is too large", token=None)
        return result

    return wrapper


def _multiplying(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` (replace, join) refusing arguments whose product could pass the limits."""

    @wraps(function)
    def wrapper(value: Any, *args: Any, **kwargs: Any) -> Any:
        longest = max((len(arg) for arg in args if isinstance(arg, str)), default=0)
        size = len(value) if hasattr(value, "__len__") else len(str(value))
        if size * longest > 4 * VALUE_LENGTH:
            raise LiquidError("a value is too large", token=None)
        return function(value, *args, **kwargs)

    return wrapper


def _short_format(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(value: Any, fmt: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(fmt, str) and len(fmt) > DATE_FORMAT_LENGTH:
            raise LiquidError("the date format is too long", token=None)
        return function(value, fmt, *args, **kwargs)

    return wrapper


def link_url(value: Any) -> str:
    """Return `value` if it is a link that may be clicked, else "#" (a variable may hold anything)."""
    text = str(value if value is not None else "").strip()
    return text if text.lower().startswith(LINK_SCHEMES) else "#"


def _plain_first(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` (link_url within its limits), spared what is nearly always given: a plain link."""

    @wraps(function)
    def wrapper(value: Any, *args: Any, **kwargs: Any) -> Any:
        plain = type(value) is str and value[:8] == "https://" and value.isprintable()
        if plain and not args and not kwargs and value[-1] != " " and len(value) <= VALUE_LENGTH:
            return value
        return function(value, *args, **kwargs)

    return wrapper


def _make(*, autoescape: bool) -> _Environment:
    environment = _Environment(autoescape=autoescape, strict_filters=True)
    for name in FORBIDDEN_TAGS:
        del environment.tags[name]
    for name in FORBIDDEN_FILTERS:
        del environment.filters[name]
    for name in ("replace", "replace_first", "replace_last", "join"):
        environment.filters[name] = _multiplying(environment.filters[name])
    environment.filters["date"] = _short_format(environment.filters["date"])
    environment.add_filter("link_url", link_url)
    environment.filters.update({name: _bounded(one) for name, one in environment.filters.items()})
    environment.filters["link_url"] = _plain_first(environment.filters["link_url"])
    return environment


TEXT = _make(autoescape=False)
HTML = _make(autoescape=True)


def _read_error(error: Exception) -> RenderError:
    line = None
    if isinstance(error, LiquidError):
        try:
            found = error.context()
            line = found[0] if found else None
        except (AttributeError, IndexError, TypeError):
            line = None
    return RenderError(getattr(error, "message", None) or error, line=line)


class Part:
    """One compiled text. A text without Liquid is returned as it stands."""

    def __init__(self, source: str, *, html: bool = False) -> None:
        """Raise RenderError if `source` is not valid Liquid."""
        self.template: BoundTemplate | None = None
        self._fill: Fill | None = None
        self._compiled = False
        self._fill_page: FillPage | None = None
        self._page: Page | None = None
        self._paged = False
        self.source = source
        if "{{" in source or "{%" in source:
            try:
                self.template = (HTML if html else TEXT).from_string(source)
            except (LiquidError, RecursionError) as error:
                raise _read_error(error) from error

    def render(self, variables: dict[str, Any]) -> str:
        """Return the text filled in; a missing variable is empty. Raises RenderError beyond a limit."""
        if self.template is None:
            return self.source
        if not self._compiled:
            self._fill, self._compiled = compile_template(self.template), True
        if self._fill is not None:
            try:
                return self._fill(variables)
            except Exception:
                # The library says what this is, from the start: a failure in its words, or a long text.
                return self._render_slowly(self.template, variables)
        return self._render_slowly(self.template, variables)

    def page(self, variables: dict[str, Any]) -> Page | None:
        """Return the text filled in as the bytes of a mail; None if only `render` can tell its outcome."""
        if not self._paged:
            self._paged = True
            if self.template is None:
                self._page = page_of(self.source)
            else:
                self._fill_page = compile_page(self.template)
        if self._fill_page is None:
            return self._page
        try:
            return self._fill_page(variables)
        except Exception:
            return None

    @staticmethod
    def _render_slowly(template: BoundTemplate, variables: dict[str, Any]) -> str:
        try:
            return template.render(variables)
        except Exception as error:
            # Whatever a text trips over (a date out of range, a sum of words) is this one row's failure.
            raise _read_error(error) from error

    def variables(self) -> list[str]:
        """Return the paths the text reads, sorted: ["customer.name", "order.number"]."""
        if self.template is None:
            return []
        found = self.template.analyze(include_partials=False).globals
        return sorted({str(variable) for places in found.values() for variable in places})

    def unknown_filters(self) -> list[str]:
        """Return the filters that do not exist; Liquid itself would say so only when it fills the text in."""
        if self.template is None:
            return []
        return sorted(set(self.template.analyze(include_partials=False).filters) - set(TEXT.filters))
