"""A whole text: what it uses is looked up first, then it is written."""

from collections.abc import Iterator
from typing import Any

from liquid import Mode
from liquid.ast import Node
from liquid.builtin.expressions import Path
from liquid.builtin.tags.for_tag import ForNode
from liquid.expression import Expression
from liquid.template import BoundTemplate

from notifyhub.messaging.rendering.fast.expressions import is_continued, is_loop_fact
from notifyhub.messaging.rendering.fast.nodes import Nodes
from notifyhub.messaging.rendering.fast.source import Source, Unsupported


def _within(node: Node, context: Any) -> Iterator[Node]:
    yield node
    for child in node.children(context, include_partials=False):
        yield from _within(child, context)


def _expressions(one: Any) -> Iterator[Expression]:
    yield one
    for child in one.children():
        yield from _expressions(child)


def write_template(template: BoundTemplate) -> Source:
    """Return the source of the function that fills `template` in; raise Unsupported if there is none."""
    environment = template.env
    unusual = (
        environment.string_sequences,
        environment.string_first_and_last,
        environment.mode != Mode.STRICT,
        not environment.suppress_blank_control_flow_blocks,
        len(template.globals),
        len(template.matter),
    )
    if any(unusual):
        raise Unsupported("an environment of another kind")
    context = template.context_class(template)
    source = Source(autoescape=environment.autoescape)
    nodes = [one for node in template.nodes for one in _within(node, context)]
    source.assigned = frozenset(str(name) for node in nodes for name in node.template_scope())
    paths = [
        one
        for node in nodes
        for expression in node.expressions()
        for one in _expressions(expression)
        if isinstance(one, Path)
    ]
    source.whole_loops = any(one.path[0] == "forloop" and not is_loop_fact(one) for one in paths)
    loops = [node.expression for node in nodes if isinstance(node, ForNode)]
    source.continued = any(is_continued(one) for one in loops)
    source.buffer = "o"
    for line in ("o = []", "L = {}", "R = 0", "S = {}", "C = {}"):
        source.line(line)
    if source.whole_loops:
        parent = environment.undefined("parentloop", token=None)
        source.line(f"no_parent = {source.constant(parent)}")
    writer = Nodes(template, source, context)
    for node in template.nodes:
        writer.write(node)
    source.flush()
    source.line("return finish(o)")
    return source
