"""An author of Liquid texts, and of the facts they are filled in with, who tries everything."""

from random import Random
from typing import Any

from notifyhub.messaging.rendering.environment import TEXT

NAMES = ("a", "b", "c", "item", "user", "名字", "forloop", "partial")
KEYS = ("a", "b", "name", "size", "first", "last", "x-y", "名字", "a b")
FACTS = (
    "index",
    "index0",
    "rindex",
    "rindex0",
    "first",
    "last",
    "length",
    "name",
    "parentloop.index",
    "nothing",
)
WORDS = (
    "",
    " ",
    "x",
    "gold",
    "10",
    "-3",
    "1.5",
    "a,b",
    "<b>&\"'</b>",
    "李雷",
    "é\r\nß",
    "a\n",
    "\r",
    "😀",
    "%Y-%m-%d",
)
PLAIN = ("", " ", "\n", " \r\n ", "Hello ", "<p>", "，您好", "\r", "'\"\\{}", "\n\n")
NUMBERS = ("0", "1", "2", "3", "-1", "7", "1.5", "-0.0", "999", "1001")
ODD = ("true", "false", "nil", "null", "empty", "blank")
ODD_FACTS = (None, True, False, 0, 1.0, -2.5, 1e300, 10**30, float("inf"), "2026-01-02")
FILTERS = sorted(TEXT.filters)
USUAL = (
    *(
        "default: 'there'",
        "default: false, allow_false: true",
        "upcase",
        "link_url",
        "join: ', '",
        "split: ','",
    ),
    *("date: '%d %b %Y'", "plus: 1", "escape", "map: 'name'", "default: a", "append: '<i>'", "truncate: 3"),
)
COMPARISONS = ("==", "!=", "<>", "<=", ">=", "<", ">", "contains")
ARGUMENTS = ("reversed", "offset: continue", "limit: 2", "offset: 1", "limit: 0", "limit: '3'", "limit: -1")
SMALL = (
    *("{% break %}", "{%- continue -%}", "{% comment %}{{ a }}{% endcomment %}", "{% # a note %}"),
    *("{% raw %}{{ a }}\r\n{% endraw %}", "{% liquid assign a = 3\n echo a %}", "{% doc %}x{% enddoc %}"),
)


class Author:
    """Writes texts and facts; whatever is chosen is chosen by `random`.

    A gentle author leaves out most of what makes a text fail, so that more of it is filled in.
    """

    def __init__(self, random: Random, *, gentle: bool = False) -> None:
        self.random = random
        self.gentle = gentle

    def one(self, *choices: str) -> str:
        """Return one of the choices."""
        return choices[self.random.randrange(len(choices))]

    def chance(self, percent: int) -> bool:
        """Return True so many times in a hundred."""
        return self.random.randrange(100) < percent

    def times(self, most: int) -> range:
        """Return a range of at most so many."""
        return range(self.random.randrange(most + 1))

    def path(self) -> str:
        """Return a variable."""
        if self.chance(15):
            return "forloop." + self.one(*FACTS)
        parts = [self.one(*NAMES)]
        for _ in self.times(2):
            shape = self.random.randrange(5)
            if shape < 2:
                parts.append("." + self.one(*KEYS[:-1]))
            elif shape == 2:
                parts.append(self.one("[0]", "[-1]", "[5]", "['name']", '["a b"]'))
            else:
                parts.append("[" + (self.one(*NAMES) if shape == 3 else self.path()) + "]")
        return "".join(parts)

    def string(self) -> str:
        """Return a word in quotes."""
        word = self.one(*WORDS).replace("'", "")
        return f"'{word}'"

    def value(self) -> str:
        """Return a value without filters."""
        shape = self.random.randrange(10)
        if shape < 5:
            return self.path()
        if shape < 7:
            return self.string()
        if shape == 7:
            return self.one(*NUMBERS[: 4 if self.gentle else None])
        if shape == 8:
            wild = () if self.gentle else ("1001", self.path())
            ends = [self.one("0", "1", "3", "'2'", "12", *wild) for _ in range(2)]
            return f"({ends[0]}..{ends[1]})"
        return self.one(*ODD)

    def filtered(self) -> str:
        """Return a value with filters."""
        parts = [self.value()]
        for _ in self.times(2):
            if self.gentle or self.chance(50):
                parts.append(self.one(*USUAL))
            else:
                given = ", ".join(self.value() for _ in self.times(2))
                parts.append(self.one(*FILTERS) + (f": {given}" if given else ""))
        return " | ".join(parts)

    def condition(self) -> str:
        """Return a condition."""
        parts = []
        for _ in range(1 + self.random.randrange(3)):
            part = self.value()
            if self.chance(60):
                words = COMPARISONS[: 5 if self.gentle else None]
                part += f" {self.one(*words)} {self.value()}"
            parts += [part, self.one(" and ", " or ")]
        return "".join(parts[:-1])

    def text(self, depth: int = 3) -> str:
        """Return a whole text."""
        return "".join(self.node(depth) for _ in self.times(4))

    def node(self, depth: int) -> str:
        """Return words, an output or a tag."""
        shape = self.random.randrange(20 if depth else 12)
        if shape < 3:
            return self.one(*PLAIN)
        if shape < 8:
            return self.one("{{{{ {} }}}}", "{{{{- {} -}}}}", "{{% echo {} %}}").format(self.filtered())
        if shape == 8:
            return f"{{% assign {self.one(*NAMES)} = {self.filtered()} %}}"
        if shape == 9:
            values = ", ".join(self.value() for _ in range(1 + self.random.randrange(3)))
            return f"{{% cycle {self.one('', '', 'a: ', chr(39) + 'g' + chr(39) + ': ')}{values} %}}"
        if shape < 12:
            return self.one(*SMALL)
        return self.block(shape, depth - 1)

    def block(self, shape: int, depth: int) -> str:
        """Return a tag with texts in it."""
        body = self.text(depth)
        otherwise = "{% else %}" + self.text(depth) if self.chance(40) else ""
        if shape < 14:
            word = self.one("if", "unless")
            more = "".join(f"{{% elsif {self.condition()} %}}{self.text(depth)}" for _ in self.times(2))
            return f"{{% {word} {self.condition()} %}}{body}{more}{otherwise}{{% end{word} %}}"
        if shape == 14:
            whens = []
            for _ in self.times(3):
                values = self.one(" or ", ", ").join(
                    self.value() for _ in range(1 + self.random.randrange(2))
                )
                whens.append(self.one(f"{{% when {values} %}}", f"{{% when {values} %}}", "{% else %}"))
                whens.append(self.text(depth))
            return f"{{% case {self.value()} %}}{''.join(whens)}{{% endcase %}}"
        if shape == 15:
            return f"{{% capture {self.one(*NAMES)} %}}{body}{{% endcapture %}}"
        arguments = "".join(" " + self.argument() for _ in self.times(2))
        items = self.value() if self.chance(60) else self.one("(1..3)", "(1..a)", "user", "user.a", "(2..40)")
        return f"{{%- for {self.one(*NAMES)} in {items}{arguments} %}}{body}{otherwise}{{% endfor %}}"

    def argument(self) -> str:
        """Return an argument of a loop."""
        if self.gentle or self.chance(70):
            return self.one(*ARGUMENTS[: 6 if self.gentle else None])
        return f"{self.one('limit', 'offset')}: {self.value()}"

    def fact(self, depth: int = 3) -> Any:
        """Return a value as JSON could hold it."""
        shape = self.random.randrange(14 if depth else 10)
        if shape < 5:
            if self.gentle:
                return self.one(*WORDS)
            return self.one(*WORDS, "x" * 300, "\ud800") if self.chance(97) else "词<" * 9000
        if shape < 7:
            return self.random.randrange(-5, 2000)
        if shape < 10:
            return ODD_FACTS[self.random.randrange(len(ODD_FACTS))]
        if shape < 12:
            return [self.fact(depth - 1) for _ in self.times(4)]
        return {self.one(*KEYS): self.fact(depth - 1) for _ in self.times(4)}

    def facts(self) -> dict[str, Any]:
        """Return what a text may read."""
        return {self.one(*NAMES, *KEYS): self.fact() for _ in self.times(7)}
