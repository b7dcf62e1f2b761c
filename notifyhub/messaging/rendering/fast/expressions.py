"""Liquid's expressions in Python: what has to happen first is written, and where the value is comes back."""

from typing import Any

from liquid import Environment
from liquid.builtin.expressions import BooleanExpression, Filter, FilteredExpression, KeywordArgument, Path
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LogicalAndExpression,
    LogicalOrExpression,
    LtExpression,
    NeExpression,
    is_truthy,
)
from liquid.builtin.expressions.primitive import (
    Blank,
    Empty,
    FalseLiteral,
    FloatLiteral,
    IntegerLiteral,
    Nil,
    RangeLiteral,
    StringLiteral,
    TrueLiteral,
)
from liquid.context import RenderContext
from liquid.expression import Expression
from liquid.undefined import Undefined
from markupsafe import Markup

from notifyhub.messaging.rendering.fast.filters import Filters
from notifyhub.messaging.rendering.fast.source import Loop, Source, Unsupported, Value

NOW = frozenset({"now", "today"})
# What a sequence or mapping is asked for by the library instead of its keys.
PROPERTIES = frozenset({"size", "first", "last"})
# What a loop tells of itself, from its index and length; anything else needs the library's own object.
LOOP_FACTS = {
    "index": "({i} + 1)",
    "index0": "{i}",
    "rindex": "({n} - {i})",
    "rindex0": "({n} - {i} - 1)",
    "first": "({i} == 0)",
    "last": "({i} == {n} - 1)",
    "length": "{n}",
}
LITERALS = (TrueLiteral, FalseLiteral, IntegerLiteral, FloatLiteral)
COMPARISONS = (
    *(EqExpression, NeExpression, LtExpression, GtExpression, LeExpression, GeExpression),
    *(ContainsExpression, LogicalAndExpression, LogicalOrExpression, BooleanExpression),
)


def is_loop_fact(path: Path) -> bool:
    """Say whether the path is a fact of `forloop` that needs no object."""
    return len(path.path) == 2 and isinstance(path.path[1], str) and path.path[1] in LOOP_FACTS


def is_continued(expression: Any) -> bool:
    """Say whether a loop goes on where the last one of its name stopped."""
    return getattr(expression.offset, "value", None) == "continue"


class Expressions:
    """The expressions of one text."""

    def __init__(self, source: Source, environment: Environment, context: RenderContext) -> None:
        self._out = source
        self._filters = Filters(source, environment)
        self._get_item = source.constant(context.get_item)

    def constant(self, value: Any) -> Value:
        """Return a value that never changes."""
        return Value(self._out.constant(value), constant=True, value=value)

    def value(self, one: Expression, *, missing: str | None = None) -> Value:
        """Return where the expression's value is; `missing` is the code of what stands for an absent path."""
        kind = type(one)
        if kind in LITERALS:
            return self.constant(one.value)  # type: ignore[attr-defined]
        if isinstance(one, StringLiteral):
            return self.constant(Markup(one.value) if self._out.autoescape else one.value)
        if kind is Nil:
            return Value("None", constant=True)
        if kind in (Empty, Blank):
            return self.constant(one)
        if isinstance(one, Path):
            return self._path(one, missing)
        if isinstance(one, RangeLiteral):
            return self._range(one)
        if isinstance(one, FilteredExpression) and kind is FilteredExpression:
            if not one.filters:
                return self.value(one.left, missing=missing)
            found = self.value(one.left)
            for each in one.filters:
                found = self._filter(each, found)
            return found
        if kind in COMPARISONS:
            return Value(self._keep(self.truth(one)))
        raise Unsupported(kind.__name__)

    def _keep(self, code: str) -> str:
        name = self._out.name("t")
        self._out.line(f"{name} = {code}")
        return name

    def loop_of(self, name: str) -> tuple[Loop | None, bool]:
        """Return the innermost loop that gives `name` its meaning, and whether it is the loop's item."""
        for loop in reversed(self._out.loops):
            if name == loop.name:
                return loop, True
            if name == "forloop":
                return loop, False
        return None, False

    def _path(self, path: Path, missing: str | None) -> Value:
        root, *rest = path.path
        if type(root) is not str:
            raise Unsupported("a path that starts with a value")
        keys = [self.value(one) if isinstance(one, Path) else one for one in rest]
        loop, is_item = self.loop_of(root)
        may_miss = bool(keys)
        if loop and is_item:
            code = loop.item
        elif loop and self._out.whole_loops:
            code = loop.helper
        elif loop:
            loop.counted = True
            fact = LOOP_FACTS[str(rest[0])].format(i=loop.index, n=loop.length)
            return Value(self._keep(fact))
        elif root == "partial":
            # The library puts this name before all others.
            code = self._out.constant(False)
        else:
            code, may_miss = self._global(root), True
        for key in keys:
            if isinstance(key, str) and key not in PROPERTIES:
                code = f"{code}[{self._out.constant(key)}]"
            else:
                got = key.code if isinstance(key, Value) else self._out.constant(key)
                code = f"{self._get_item}({code}, {got})"
        if not may_miss:
            return Value(code)
        if missing is None:
            missing = self._out.constant(Undefined(root, token=path.token))
        name = self._out.name("t")
        self._out.line("try:")
        self._out.line(f"    {name} = {code}")
        self._out.line("except absent:")
        self._out.line(f"    {name} = {missing}")
        return Value(name)

    def _global(self, root: str) -> str:
        key = self._out.constant(root)
        code = f"D[{key}]"
        if root in NOW:
            code = f"({code} if {key} in D else builtin[{key}])"
        if root in self._out.assigned:
            code = f"(L[{key}] if {key} in L else {code})"
        return code

    def _range(self, one: RangeLiteral) -> Value:
        make = one._make_range
        start, stop = self.value(one.start), self.value(one.stop)
        if start.constant and stop.constant and type(start.value) is int and type(stop.value) is int:
            return self.constant(make(start.value, stop.value))
        return Value(self._keep(f"{self._out.constant(make)}({start.code}, {stop.code})"))

    def _filter(self, one: Filter, left: Value) -> Value:
        given = [
            (argument.name if isinstance(argument, KeywordArgument) else None, self.value(argument.value))
            for argument in one.args
        ]
        return Value(self._keep(self._filters.call(one.name, left, given)))

    def truth(self, one: Expression) -> str:
        """Return code that is true where the library takes the expression for true."""
        while isinstance(one, BooleanExpression):
            one = one.expression
        if isinstance(one, LogicalAndExpression | LogicalOrExpression):
            name = self._keep(self.truth(one.left))
            negation = "" if isinstance(one, LogicalAndExpression) else "not "
            with self._out.block(f"if {negation}{name}:"):
                self._out.line(f"{name} = {self.truth(one.right)}")
            return name
        if type(one) in COMPARISONS:
            return self._comparison(one)
        found = self.value(one, missing="None")
        if found.constant:
            return str(is_truthy(found.value))
        code = found.code
        return f"({code} is not None and {code} is not False and (type({code}) is str or truthy({code})))"

    def _comparison(self, one: Any) -> str:
        left, right = self.value(one.left), self.value(one.right)
        if isinstance(one, EqExpression):
            return self.equal(left, right)
        if isinstance(one, NeExpression):
            return f"(not {self.equal(left, right)})"
        if isinstance(one, ContainsExpression):
            call = f"contains(None, {left.code}, {right.code})"
            if right.constant and isinstance(right.value, str):
                word = self._out.constant(str(right.value))
                return f"({word} in {left.code} if type({left.code}) is str else {call})"
            return f"({call})"
        if isinstance(one, LtExpression | LeExpression):
            less, more = left, right
        else:
            less, more = right, left
        strict = isinstance(one, LtExpression | GtExpression)
        call = f"lt(None, {less.code}, {more.code})" if strict else f"le({less.code}, {more.code})"
        numbers = [
            f"type({each.code}) is int"
            for each in (less, more)
            if not (each.constant and type(each.value) is int)
        ]
        if not numbers:
            return f"({call})"
        operator = "<" if strict else "<="
        return f"({less.code} {operator} {more.code} if {' and '.join(numbers)} else {call})"

    def equal(self, left: Value, right: Value) -> str:
        """Return code that is true where the library takes both for equal."""
        call = f"eq({left.code}, {right.code})"
        if right.constant and isinstance(right.value, str):
            word = self._out.constant(str(right.value))
            return f"({left.code} == {word} if type({left.code}) is str else {call})"
        if right.constant and type(right.value) is int:
            return f"({left.code} == {right.code} if type({left.code}) is int else {call})"
        if right.constant or left.constant:
            return f"({call})"
        words = f"type({left.code}) is str and type({right.code}) is str"
        return f"({left.code} == {right.code} if {words} else {call})"
