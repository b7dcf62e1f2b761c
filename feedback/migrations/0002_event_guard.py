"""The history of a case refuses changes."""

from django.db import migrations

from feedback.migrations._sql import EVENT_GUARD, EVENT_GUARD_BACK


class Migration(migrations.Migration):
    dependencies = [("feedback", "0001_initial")]
    operations = [migrations.RunSQL(EVENT_GUARD, EVENT_GUARD_BACK)]
