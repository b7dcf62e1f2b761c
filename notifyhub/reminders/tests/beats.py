"""A clock of its own for the tests with real processes: it ticks without pause until it is killed."""

import os
import sys

import django


def main() -> None:
    """Tick for ever; what one tick leaves undone the next takes up."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifyhub.settings")
    django.setup()
    from notifyhub.reminders.services.following import follow_news
    from notifyhub.reminders.services.planning import plan_reminders
    from notifyhub.reminders.services.sending import send_due_reminders

    said = False
    while True:
        plan_reminders()
        follow_news()
        send_due_reminders()
        if not said:
            # Not before the first round: a reader of events begins where its bookmark was first made.
            sys.stdout.write("ticking\n")
            sys.stdout.flush()
            said = True


if __name__ == "__main__":
    main()
