"""The audit trail refuses changes; the tests' flush alone may empty it."""

from django.db import migrations

GUARD = """
CREATE FUNCTION staff_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_setting('notifyhub.allow_truncate', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'The audit trail is append-only';
END $$;
CREATE TRIGGER staff_auditentry_append_only BEFORE UPDATE OR DELETE ON staff_auditentry
    FOR EACH ROW EXECUTE FUNCTION staff_refuse_audit_change();
CREATE TRIGGER staff_auditentry_no_truncate BEFORE TRUNCATE ON staff_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_audit_change();
CREATE TRIGGER staff_auditlink_append_only BEFORE UPDATE OR DELETE ON staff_auditlink
    FOR EACH ROW EXECUTE FUNCTION staff_refuse_audit_change();
CREATE TRIGGER staff_auditlink_no_truncate BEFORE TRUNCATE ON staff_auditlink
    FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_audit_change();
"""

BACK = """
DROP TRIGGER staff_auditentry_append_only ON staff_auditentry;
DROP TRIGGER staff_auditentry_no_truncate ON staff_auditentry;
DROP TRIGGER staff_auditlink_append_only ON staff_auditlink;
DROP TRIGGER staff_auditlink_no_truncate ON staff_auditlink;
DROP FUNCTION staff_refuse_audit_change();
"""


class Migration(migrations.Migration):
    dependencies = [("staff", "0001_initial")]
    operations = [migrations.RunSQL(GUARD, BACK)]
