"""Liquid's tags in Python."""

from collections.abc import Callable
from typing import Any

from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.cycle_tag import CycleNode
from liquid.builtin.tags.doc_tag import DocNode
from liquid.builtin.tags.echo_tag import EchoNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentNode
from liquid.builtin.tags.liquid_tag import LiquidNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.stringify import to_liquid_string
from liquid.template import BoundTemplate

from notifyhub.messaging.rendering.fast.expressions import Expressions, is_continued
from notifyhub.messaging.rendering.fast.source import Loop, Source, Unsupported, Value

# The library lets contexts be extended this often, and four maps are there before the first loop.
MAPS = 5


class Nodes:
    """The tags of one text."""

    def __init__(self, template: BoundTemplate, source: Source, context: Any) -> None:
        self._out = source
        self._template = template
        self._expressions = Expressions(source, template.env, context)
        self._writers: dict[type, Callable[[Any], None]] = {
            ContentNode: lambda node: source.text(node.text),
            OutputNode: self._output,
            EchoNode: self._output,
            IfNode: self._if,
            UnlessNode: self._if,
            CaseNode: self._case,
            ForNode: self._for,
            BreakNode: lambda _node: self._leave("break"),
            ContinueNode: lambda _node: self._leave("continue"),
            AssignNode: self._assign,
            CaptureNode: self._capture,
            CycleNode: self._cycle,
            LiquidNode: lambda node: self.block(node.block),
            BlockNode: self.block,
            **dict.fromkeys((CommentNode, InlineCommentNode, DocNode), lambda _node: None),
        }

    def write(self, node: Node) -> None:
        """Write one node."""
        writer = self._writers.get(type(node))
        if writer is None:
            raise Unsupported(type(node).__name__)
        writer(node)

    def block(self, block: BlockNode) -> None:
        """Write a block; what one of nothing but blanks prints is dropped."""
        if type(block) is not BlockNode:
            raise Unsupported(type(block).__name__)
        with self._out.output_to(None if block.blank else self._out.buffer):
            for node in block.nodes:
                self.write(node)

    def _print(self, found: Value) -> None:
        if found.constant:
            self._out.text(to_liquid_string(found.value, self._out.autoescape))
            return
        code = found.code
        words, other = (f"escape({code})", "html_of") if self._out.autoescape else (code, "text_of")
        number = f"str({code}) if type({code}) is int else {other}({code})"
        self._out.piece(f"{words} if type({code}) is str else {number}")

    def _output(self, node: OutputNode) -> None:
        self._print(self._expressions.value(node.expression, missing=self._out.constant("")))

    def _if(self, node: IfNode | UnlessNode) -> None:
        truth = self._expressions.truth(node.condition)
        with self._out.block(f"if not {truth}:" if isinstance(node, UnlessNode) else f"if {truth}:"):
            self.block(node.consequence)
        self._else(list(node.alternatives), node.default)

    def _else(self, alternatives: list[Any], default: BlockNode | None) -> None:
        if not alternatives and default is None:
            return
        with self._out.block("else:"):
            if alternatives:
                with self._out.block(f"if {self._expressions.truth(alternatives[0].expression)}:"):
                    self.block(alternatives[0].block)
                self._else(alternatives[1:], default)
            elif default is not None:
                self.block(default)

    def _case(self, node: CaseNode) -> None:
        self._out.flush()
        none = self._out.name("t")
        self._out.line(f"{none} = True")
        for block in node.blocks:
            if not isinstance(block, MultiExpressionBlockNode):
                with self._out.block(f"if {none}:"):
                    self.block(block)
                continue
            # An earlier block may have given the name another value, so it is looked up for each.
            left = self._expressions.value(block.expression.left)
            matches = [
                self._expressions.equal(left, self._expressions.value(right))
                for right in block.expression.expressions
            ]
            with self._out.block(f"if {matches[0] if len(matches) == 1 else self._count(matches)}:"):
                self._out.line(f"{none} = False")
                self.block(block.block)

    def _count(self, matches: list[str]) -> str:
        count = self._out.name("t")
        self._out.line(f"{count} = {' + '.join(matches)}")
        with self._out.block(f"if {count} > 1:"):
            # The library prints the block once for each match.
            self._out.line("raise Unsure")
        return count

    def _leave(self, word: str) -> None:
        self._out.flush()
        self._out.line(word if self._out.loops else "raise Unsure")

    def _assign(self, node: AssignNode) -> None:
        found = self._expressions.value(node.expression)
        self._out.line(f"keep(L, {self._out.constant(str(node.name))}, {found.code})")

    def _capture(self, node: CaptureNode) -> None:
        self._out.flush()
        around = self._out.buffer
        caught = self._out.name("o")
        self._out.line(f"{caught} = []")
        with self._out.output_to(caught):
            self.block(node.block)
        text = f"captured({caught}, {around})"
        text = f"Markup({text})" if self._out.autoescape else text
        self._out.line(f"keep(L, {self._out.constant(str(node.name))}, {text})")

    def _cycle(self, node: CycleNode) -> None:
        if node.group_by_args:
            raise Unsupported("cycle by arguments")
        group = self._expressions.value(node.group) if node.group else Value("None")
        values = ", ".join([self._expressions.value(one).code for one in node.args])
        name = self._out.name("t")
        self._out.line(f"{name} = cycle(C, {group.code}, {bool(node.group)}, [{values}])")
        self._print(Value(name))

    def _for(self, node: ForNode) -> None:
        out, expression = self._out, node.expression
        if MAPS + len(out.loops) > self._template.env.context_depth_limit:
            raise Unsupported("loops too deep")
        out.flush()
        items, length = out.name("t"), out.name("n")
        out.line(f"{items}, {length} = {self._rounds(expression)}")
        loop = Loop(
            name=str(expression.identifier),
            item=out.name("v"),
            index=out.name("i"),
            length=length,
            helper=out.name("f"),
        )
        with out.block(f"if {length}:"):
            product = " * ".join([length, *(each.length for each in out.loops)])
            out.line(f"R = count_rounds(R, {length}, {product})")
            head = f"for {loop.index}, {loop.item} in enumerate({items}):"
            if out.whole_loops:
                title = out.constant(f"{expression.identifier}-{expression.iterable}")
                parent = out.loops[-1].helper if out.loops else "no_parent"
                out.line(f"{loop.helper} = ForLoop({title}, iter({items}), {length}, {parent})")
                head = f"for {loop.item} in {loop.helper}:"
            out.loops.append(loop)
            at = out.place()
            with out.block(head):
                if out.buffer:
                    with out.block(f"if len({out.buffer}) > 256:"):
                        out.line(f"check({out.buffer})")
                self.block(node.block)
            out.loops.pop()
            if not out.whole_loops and not loop.counted:
                out.rewrite(at, f"for {loop.item} in {items}:")
        if node.default is not None:
            with out.block("else:"):
                self.block(node.default)

    def _rounds(self, expression: Any) -> str:
        """Return code that gives the loop's items and how many they are."""
        out, value = self._out, self._expressions.value
        items = value(expression.iterable).code
        plain = expression.limit is None and expression.offset is None and not expression.reversed
        if plain and not out.continued:
            return f"rounds_of({items})"
        limit = "None" if expression.limit is None else f"to_int({value(expression.limit).code})"
        if expression.offset is None:
            offset = "0"
        elif is_continued(expression):
            offset = "None"
        else:
            offset = f"to_int({value(expression.offset).code})"
        key = out.constant(f"{expression.identifier}-{expression.iterable}")
        return f"slice_of({items}, {limit}, {offset}, {bool(expression.reversed)}, S, {key})"
