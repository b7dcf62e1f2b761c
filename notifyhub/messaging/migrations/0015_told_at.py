from django.db import migrations, models

# What is sent has no value here, so the index costs the engine nothing.
FORWARD = "CREATE INDEX messaging_event_told ON messaging_deliveryevent (told_at) WHERE told_at IS NOT NULL;"
BACK = "DROP INDEX messaging_event_told;"


class Migration(migrations.Migration):
    dependencies = [("messaging", "0014_replies")]

    operations = [
        migrations.AddField(
            model_name="deliveryevent",
            name="told_at",
            field=models.DateTimeField(null=True, verbose_name="heard at"),
        ),
        migrations.RunSQL(FORWARD, BACK),
    ]
