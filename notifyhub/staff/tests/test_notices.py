"""What is behind the bell."""

import pytest
from django.utils.translation import gettext_lazy

from notifyhub.staff.models import StaffNotice
from notifyhub.staff.services.notices import mark_read, notify
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_each_recipient_is_told_once_in_their_language() -> None:
    one, two = make_user(username="one", language="zh-hans"), make_user(username="two", language="en")

    assert notify(recipients=[one, two, one], title=gettext_lazy("Enter a valid value.")) == 2

    assert StaffNotice.objects.get(recipient=one).title == "输入一个有效的值。"
    assert StaffNotice.objects.get(recipient=two).title == "Enter a valid value."


def test_the_same_alarm_is_told_once_while_it_is_unread() -> None:
    user = make_user()

    assert notify(recipients=[user], title="Queue grows", dedup="queue") == 1
    assert notify(recipients=[user], title="Queue grows", dedup="queue") == 0
    assert mark_read(user=user) == 1
    assert notify(recipients=[user], title="Queue grows", dedup="queue") == 1


def test_notices_without_a_key_are_all_kept() -> None:
    user = make_user()

    assert notify(recipients=[user], title="Done") == notify(recipients=[user], title="Done") == 1
