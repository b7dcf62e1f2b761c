"""One examination for `manage.py doctor` and for the operations page."""

import logging
from typing import Any

from django.db import OperationalError, transaction
from django.utils.translation import gettext as _

from notifyhub.core.registry import Finding, doctor_checks

logger = logging.getLogger(__name__)


def examine() -> dict[str, Finding]:
    """Run every registered check; return its finding by name. A check that breaks is an error itself."""
    findings: dict[str, Finding] = {}
    for name, check in doctor_checks.items():
        try:
            with transaction.atomic():
                findings[name] = check()
        except OperationalError:
            findings[name] = Finding(
                level="error", message=_("The database cannot be reached. Check DATABASE_URL.")
            )
        except Exception as error:
            logger.warning("The check %s broke: %s", name, error)
            findings[name] = Finding(
                level="error",
                message=_("This could not be checked: %(error)s") % {"error": type(error).__name__},
                data={"error": type(error).__name__},
            )
    return findings


def report_of(findings: dict[str, Finding]) -> dict[str, Any]:
    """Return the findings as `doctor --json` tells them, in plain values."""
    checks = {
        name: {"level": found.level, "message": str(found.message), "data": found.data}
        for name, found in findings.items()
    }
    return {"ok": is_well(findings), "checks": checks}


def is_well(findings: dict[str, Finding]) -> bool:
    """Say whether nothing is wrong; warnings are not."""
    return all(finding.level != "error" for finding in findings.values())
