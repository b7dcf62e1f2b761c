"""A clock knows when to warn, so that the tick finds what is due by index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("feedback", "0002_event_guard")]
    operations = [
        migrations.RenameField("slaclock", "warned_at", "warn_at"),
        migrations.AlterField(
            "slaclock", "warn_at", models.DateTimeField(null=True, verbose_name="warn at")
        ),
        migrations.AddIndex(
            "slaclock",
            models.Index(
                condition=models.Q(("state", "running"), ("warn_at__isnull", False)),
                fields=["warn_at"],
                name="feedback_clock_warn",
            ),
        ),
    ]
