"""Import customers from a CSV or XLSX file."""

from argparse import ArgumentParser
from typing import Any

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.management.importing import ImportCommand
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing.customers import CUSTOMER_IMPORT
from notifyhub.customers.services.importing.plans import ConsentPlan, ImportPlan, find_list, plan_consent
from notifyhub.customers.services.importing.previews import Check


class Command(ImportCommand):
    """Takes a file of customers in, with what they agreed to."""

    help = "Import customers from a CSV or XLSX file; killed and run again, it goes on where it stopped."
    importer = CUSTOMER_IMPORT
    map_example = "external_id, phone, attribute:level"

    def add_decisions(self, parser: ArgumentParser) -> None:
        parser.add_argument("--consent", default="", metavar="TOPIC:CHANNEL[,…]")
        parser.add_argument("--consent-source", default="")
        parser.add_argument("--consent-date", default="", metavar="YYYY-MM-DD")
        parser.add_argument("--proof", default="", help="where the proof of consent is kept")
        parser.add_argument("--wording", default="", help="what the customers agreed to")
        parser.add_argument("--policy-version", default="")
        parser.add_argument("--list", default="", help="also put them on this static list (name or number)")

    def decisions(self, options: dict[str, Any]) -> dict[str, Any]:
        return {
            "consent": self._consent(options),
            "list_id": find_list(name=options["list"]) if options["list"] else None,
        }

    def _consent(self, options: dict[str, Any]) -> ConsentPlan | None:
        if not options["consent"]:
            return None
        grants = []
        for item in options["consent"].split(","):
            topic, colon, channel = item.strip().partition(":")
            if not colon:
                raise Refused(_("Write a consent as TOPIC:CHANNEL, not “%s”.") % item)
            grants.append((topic, channel))
        return plan_consent(
            grants=grants,
            source=options["consent_source"],
            given_on=options["consent_date"],
            proof=options["proof"],
            wording=options["wording"],
            policy_version=options["policy_version"],
        )

    def warn(self, plan: ImportPlan) -> None:
        if plan.consent is None:
            self.stderr.write(_("No consent is recorded: nobody gets promotions because of this file."))

    def check_text(self, check: Check) -> str:
        return _(
            "%(good)d rows can be imported (%(created)d new, %(known)d known customers), %(bad)d cannot."
        ) % {"good": check.good, "created": check.created, "known": check.known, "bad": check.bad}

    def result_text(self, run: CustomerImport) -> str:
        numbers = run.numbers(self.importer.counts)
        return _(
            "%(created)d created, %(updated)d changed, %(unchanged)d unchanged, %(duplicates)d repeated, "
            "%(bad)d not taken, %(consents)d consents recorded, %(kept)d opt-outs kept."
        ) % {**numbers, "kept": run.opt_outs_kept}
