"""For the versions by which something still runs."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("reminders", "0004_only_versions")]

    operations = [
        migrations.AddIndex(
            model_name="occasion",
            index=models.Index(
                condition=models.Q(("state", "running")), fields=["rule_version"], name="reminders_occasion_version"
            ),
        ),
    ]
