"""What a rule does stands in its versions alone."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("reminders", "0003_first_versions")]

    operations = [
        migrations.RemoveField(
            model_name='reminder',
            name='anchor_at',
        ),
        migrations.RemoveField(
            model_name='reminder',
            name='order',
        ),
        migrations.RemoveField(
            model_name='reminderrule',
            name='anchor',
        ),
        migrations.RemoveField(
            model_name='reminderrule',
            name='attribute',
        ),
        migrations.RemoveField(
            model_name='reminderrule',
            name='chain',
        ),
        migrations.RemoveField(
            model_name='reminderrule',
            name='grace_hours',
        ),
        migrations.RemoveField(
            model_name='reminderrule',
            name='lines',
        ),
        migrations.RemoveField(
            model_name='reminderrule',
            name='stop_states',
        ),
        migrations.RemoveField(
            model_name='reminderstep',
            name='rule',
        ),
        migrations.AlterField(
            model_name="reminder",
            name="occasion",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="reminders", to="reminders.occasion", verbose_name="occasion"),
        ),
        migrations.AlterField(
            model_name="reminderstep",
            name="rule_version",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="steps", to="reminders.ruleversion", verbose_name="version of the rule"),
        ),
    ]
