from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

# The same months as the table had, whatever was kept of it.
_LEAVES = """
DO $$
DECLARE leaf record;
BEGIN
    FOR leaf IN SELECT c.oid, c.relname, c.relpartbound FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = '{old}'::regclass
    LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF {new} %s', replace(leaf.relname, '{old}', '{new}'),
                       pg_get_expr(leaf.relpartbound, leaf.oid));
    END LOOP;
END $$;
"""
# What was counted is known by a hash alone. All but the caps may be about a subject or about a text, so the
# young ones stand in both places: neither is ever asked for what is the other's.
TEXT_DAYS = 31
# The key leads with the customer: a window looks a hundred of them up. What is counted stands in no index, so
# counting again stays HOT.
FORWARD = f"""
CREATE TABLE messaging_sendday (
    customer_id bigint NOT NULL,
    subject bigint NOT NULL DEFAULT 0,
    day date NOT NULL,
    respects bigint[] NOT NULL,
    used smallint[] NOT NULL,
    at timestamptz[] NOT NULL,
    PRIMARY KEY (customer_id, subject, day)
) PARTITION BY RANGE (day);
{_LEAVES.format(old="messaging_sendcount", new="messaging_sendday")}
WITH caps AS (
    SELECT ('x' || substr(md5('cap:' || class || ':' || channel), 1, 16))::bit(64)::bigint AS respect
    FROM unnest(ARRAY['transactional', 'service', 'informational', 'promotional']) AS class,
         unnest(ARRAY['', 'email', 'sms', 'push', 'wechat', 'wecom', 'dingtalk', 'inbox']) AS channel
), old AS (
    SELECT s.*, s.respect IN (SELECT respect FROM caps) AS is_cap FROM messaging_sendcount s
)
INSERT INTO messaging_sendday (customer_id, subject, day, respects, used, at)
SELECT customer_id, 0, day, array_agg(respect ORDER BY respect), array_agg(used ORDER BY respect),
       array_agg(at ORDER BY respect)
FROM old WHERE is_cap OR day >= current_date - {TEXT_DAYS} GROUP BY customer_id, day
UNION ALL
SELECT customer_id, respect, day, ARRAY[respect], ARRAY[used], ARRAY[at] FROM old WHERE NOT is_cap;
DROP TABLE messaging_sendcount;
CREATE VIEW messaging_sendcount AS
SELECT s.customer_id, s.subject, c.respect, s.day, c.used, c.at
FROM messaging_sendday s CROSS JOIN LATERAL unnest(s.respects, s.used, s.at) AS c(respect, used, at);
"""
BACK = f"""
ALTER VIEW messaging_sendcount RENAME TO messaging_sendcount_seen;
CREATE TABLE messaging_sendcount (
    customer_id bigint NOT NULL,
    respect bigint NOT NULL,
    at timestamptz NOT NULL,
    day date NOT NULL,
    used smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (customer_id, respect, day)
) PARTITION BY RANGE (day);
{_LEAVES.format(old="messaging_sendday", new="messaging_sendcount")}
INSERT INTO messaging_sendcount (customer_id, respect, day, used, at)
SELECT customer_id, respect, day, max(used), max(at) FROM messaging_sendcount_seen GROUP BY 1, 2, 3;
DROP VIEW messaging_sendcount_seen;
DROP TABLE messaging_sendday;
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0018_ledger_fillfactor")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, BACK)],
            state_operations=[
                migrations.CreateModel(
                    name="SendDay",
                    fields=[
                        (
                            "customer_id",
                            models.BigIntegerField(primary_key=True, serialize=False, verbose_name="customer"),
                        ),
                        ("subject", models.BigIntegerField(verbose_name="subject")),
                        ("day", models.DateField(verbose_name="day")),
                        (
                            "respects",
                            ArrayField(base_field=models.BigIntegerField(), size=None, verbose_name="respects"),
                        ),
                        (
                            "used",
                            ArrayField(base_field=models.SmallIntegerField(), size=None, verbose_name="messages"),
                        ),
                        (
                            "at",
                            ArrayField(base_field=models.DateTimeField(), size=None, verbose_name="last at"),
                        ),
                    ],
                    options={
                        "verbose_name": "send day",
                        "verbose_name_plural": "send days",
                        "db_table": "messaging_sendday",
                    },
                ),
                migrations.AlterModelOptions(
                    name="sendcount",
                    options={
                        "managed": False,
                        "verbose_name": "send count",
                        "verbose_name_plural": "send counts",
                    },
                ),
            ],
        )
    ]
