"""Keep personal data out of the logs."""

import logging
import re

_PHONE = re.compile(r"(?<!\d)(?:\+?86)?(1[3-9]\d)\d{4}(\d{4})(?!\d)")
_EMAIL = re.compile(r"([A-Za-z0-9])[A-Za-z0-9._%+\-]*@([A-Za-z0-9.\-]+\.[A-Za-z]{2,})")
_SECRET = re.compile(r"(?i)(authorization|password|secret|token)([\"'=:\s]+)(bearer\s+)?[^\s,;\"'}]+")


def mask(text: str) -> str:
    """Return `text` with phone numbers, email addresses and credentials made unreadable."""
    text = _PHONE.sub(r"\1****\2", text)
    text = _EMAIL.sub(r"\1***@\2", text)
    return _SECRET.sub(r"\1\2***", text)


class MaskPersonalData(logging.Filter):
    """Mask each record as it is formatted; never drops one."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            return True
        masked = mask(text)
        if masked != text:
            record.msg, record.args = masked, None
        return True
