from django.db import migrations

from notifyhub.messaging.migrations._sql import GUESS_DISPATCHES, GUESS_DISPATCHES_BACK


class Migration(migrations.Migration):

    dependencies = [
        ('messaging', '0011_faults'),
    ]

    operations = [
        migrations.RunSQL(GUESS_DISPATCHES, GUESS_DISPATCHES_BACK),
    ]
