from django.db import migrations

# Nearly every event says that a message was sent, and nobody looks those up by kind: they are found by their
# time or their message. Left out, a message costs the database one index entry less.
FORWARD = """
DROP INDEX messaging_event_kind;
CREATE INDEX messaging_event_kind ON messaging_deliveryevent (kind, at) WHERE kind <> 'sent';
"""
BACK = """
DROP INDEX messaging_event_kind;
CREATE INDEX messaging_event_kind ON messaging_deliveryevent (kind, at);
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0012_ledger_statistics")]

    operations = [migrations.RunSQL(FORWARD, BACK)]
