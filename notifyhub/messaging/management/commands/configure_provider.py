"""`manage.py configure_provider CHANNEL BACKEND --name N --set key=value …`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from notifyhub.core.errors import Refused
from notifyhub.messaging.models import ProviderAccount
from notifyhub.messaging.services.accounts import create_account, update_account, usual_hours


class Command(BaseCommand):
    """Creates the account of that name, or changes the one there is."""

    help = "Create a provider account, or change the one of that name. Secrets are stored encrypted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("channel", help="email, sms, push, wechat, wecom, dingtalk or inbox")
        parser.add_argument("backend", help="smtp, sandbox or memory")
        parser.add_argument("--name", required=True)
        parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="pairs")
        parser.add_argument("--priority", type=int)
        parser.add_argument("--rate", type=int, metavar="MESSAGES_A_SECOND")
        parser.add_argument("--inactive", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        values: dict[str, str] = {}
        for pair in options["pairs"]:
            key, sign, value = pair.partition("=")
            if not sign:
                raise CommandError(f"--set wants KEY=VALUE, not “{pair}”.")
            values[key.strip()] = value
        changes: dict[str, Any] = {"active": not options["inactive"]}
        if options["priority"] is not None:
            changes["priority"] = options["priority"]
        if options["rate"] is not None:
            changes["rate_per_second"] = options["rate"]
        known = ProviderAccount.objects.filter(name=options["name"].strip()).first()
        try:
            if known is None:
                account = create_account(
                    channel=options["channel"],
                    backend=options["backend"],
                    name=options["name"],
                    values=values,
                    **{**usual_hours(channel=options["channel"], backend=options["backend"]), **changes},
                )
            elif (known.channel, known.backend) != (options["channel"], options["backend"]):
                raise CommandError(
                    f"“{known.name}” is an account of {known.channel} over {known.backend}; "
                    "choose another name."
                )
            else:
                account = update_account(account_id=known.pk, version=None, values=values, **changes)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        made = "Created" if known is None else "Changed"
        self.stdout.write(f"{made} account “{account.name}” ({account.channel} over {account.backend}).")
