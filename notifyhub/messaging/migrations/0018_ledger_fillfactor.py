from django.db import migrations

# A settled row is a sixth longer than a planned one (account, time), so of a page filled by half the last rows
# did not find room for their new version beside them: one update in twelve was not HOT. Only pages that are
# filled from now on are concerned; nothing is rewritten.
FORWARD = """
DO $$
DECLARE leaf regclass;
BEGIN
    FOR leaf IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'messaging_delivery'::regclass
    LOOP
        EXECUTE format('ALTER TABLE %s SET (fillfactor = {room})', leaf);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0017_batch_defaults")]

    operations = [migrations.RunSQL(FORWARD.replace("{room}", "45"), FORWARD.replace("{room}", "50"))]
