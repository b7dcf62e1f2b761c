"""Calls of the environment's own filters."""

from functools import partial

from liquid import Environment
from markupsafe import Markup

from notifyhub.messaging.rendering.fast.source import Source, Unsupported, Value
from notifyhub.messaging.rendering.limits import VALUE_LENGTH


class Filters:
    """The filters of one text, each in its table of constants once."""

    def __init__(self, source: Source, environment: Environment) -> None:
        self._out = source
        self._environment = environment
        self._names: dict[str, str] = {}

    def _name(self, filter_name: str) -> str:
        if filter_name not in self._names:
            function = self._environment.filters.get(filter_name)
            if function is None or getattr(function, "with_context", False):
                raise Unsupported(filter_name)
            if getattr(function, "with_environment", False):
                function = partial(function, environment=self._environment)
            self._names[filter_name] = self._out.constant(function)
        return self._names[filter_name]

    def call(self, filter_name: str, left: Value, given: list[tuple[str | None, Value]]) -> str:
        """Return code that filters `left`; an argument that is `given` may have a name."""
        arguments = [left.code, *(value.code for name, value in given if name is None)]
        named = [f"{self._out.constant(name)}: {value.code}" for name, value in given if name is not None]
        if named:
            arguments.append(f"**{{{', '.join(named)}}}")
        call = f"{self._name(filter_name)}({', '.join(arguments)})"
        if filter_name == "default" and not left.constant and len(given) < 2 and all(map(_is_word, given)):
            # Words that are not empty are their own default.
            words = f"type({left.code}) is str and 0 < len({left.code}) <= {VALUE_LENGTH:d}"
            return f"{left.code} if {words} else {call}"
        return call


def _is_word(argument: tuple[str | None, Value]) -> bool:
    name, value = argument
    word = value.constant and type(value.value) in (str, Markup)
    return name is None and word and len(value.value) <= VALUE_LENGTH
