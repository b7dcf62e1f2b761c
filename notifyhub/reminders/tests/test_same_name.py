"""Two members of staff who give two rules one name at the same moment."""

import threading

import pytest
from django.db import connection

from notifyhub.reminders.models import ReminderRule
from notifyhub.reminders.services.rules import create_rule
from notifyhub.reminders.tests.factories import rule_spec, spec


@pytest.mark.django_db(transaction=True)
def test_rules_of_one_name_at_the_same_moment_both_get_a_key() -> None:
    steps, start = [spec(1) for _rule in range(4)], threading.Barrier(4)
    failures: list[Exception] = []

    def create(step) -> None:
        start.wait()
        try:
            create_rule(data=rule_spec(name="Stay tomorrow"), steps=[step])
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=create, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert ReminderRule.objects.filter(name="Stay tomorrow").values("key").distinct().count() == 4
