"""Writing, checking and publishing templates."""

from notifyhub.messaging.services.templates.checks import Check, check_content, check_version
from notifyhub.messaging.services.templates.drafts import (
    archive_template,
    create_template,
    discard_draft,
    open_draft,
    remove_content,
    save_content,
    update_template,
)
from notifyhub.messaging.services.templates.publishing import publish

__all__ = [
    "Check",
    "archive_template",
    "check_content",
    "check_version",
    "create_template",
    "discard_draft",
    "open_draft",
    "publish",
    "remove_content",
    "save_content",
    "update_template",
]
