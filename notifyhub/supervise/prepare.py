"""Brings database and static files up to date: migrations, first administrator, demo data.

A process of its own, so that Django is imported once for all of it and never in the supervisor.
"""

import argparse
import io
import os
import sys
from pathlib import Path

from notifyhub.supervise.folder import write_private


def main(arguments: list[str]) -> int:
    """Do what is asked; return the exit code, with one sentence for what a person can mend."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", action="store_true")
    parser.add_argument("--static", action="store_true")
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--first-login", type=Path, required=True)
    options = parser.parse_args(arguments)

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifyhub.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import CommandError
    from django.db import Error as DatabaseError

    try:
        django.setup()
        if options.database:
            _prepare_database(first_login=options.first_login, demo=options.demo)
        if options.static:
            _collect_static()
    except (ImproperlyConfigured, CommandError) as error:
        print(error)
        return 1
    except DatabaseError as error:
        print(f"The database refused: {' '.join(str(error).split())}")
        return 1
    return 0


def _prepare_database(*, first_login: Path, demo: bool) -> None:
    from django.core.management import call_command, get_commands

    print("Bringing the database up to date.")
    call_command("migrate", interactive=False, verbosity=0)
    made = ""
    if "bootstrap" in get_commands():
        answer = io.StringIO()
        call_command("bootstrap", stdout=answer)
        made = answer.getvalue().strip()
    if made:
        # Kept until it was shown: this start may end before it comes to that.
        write_private(first_login, made)
    # The file is there from the creation of the first account to the end of the first start.
    if demo and first_login.exists() and "load_demo" in get_commands():
        print("Loading the demo data.")
        call_command("load_demo")


def _collect_static() -> None:
    from django.core.management import call_command

    print("Collecting the static files.")
    call_command("collectstatic", interactive=False, verbosity=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
