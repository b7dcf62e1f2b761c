"""Turning a template's text and one customer's facts into what is sent.

Sending calls `program_for(dispatch)` once a window and `program.render(...)` once a row; see `program`.
"""

from notifyhub.messaging.rendering.environment import RenderError
from notifyhub.messaging.rendering.program import Program, Rendered, program_for
from notifyhub.messaging.rendering.variables import customer_variables

__all__ = ["Program", "RenderError", "Rendered", "customer_variables", "program_for"]
