"""SQL of the first migration: the partitioned event table and the guard of the consent records."""

MONTHS = """
DO $$
DECLARE month timestamptz;
BEGIN
    FOR month IN SELECT generate_series(
        date_trunc('month', now() AT TIME ZONE 'UTC') - interval '6 months',
        date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months',
        interval '1 month') AT TIME ZONE 'UTC'
    LOOP
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS {table}_%s PARTITION OF {table} FOR VALUES FROM (%L) TO (%L)',
            to_char(month AT TIME ZONE 'UTC', 'YYYYMM'), month,
            ((month AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
    END LOOP;
END $$;
CREATE TABLE {table}_default PARTITION OF {table} DEFAULT;
"""

EVENT = """
CREATE SEQUENCE customers_event_id_seq AS bigint;
CREATE TABLE customers_event (
    id bigint NOT NULL DEFAULT nextval('customers_event_id_seq'),
    received_at timestamptz NOT NULL,
    occurred_at timestamptz NOT NULL,
    customer_id bigint NOT NULL REFERENCES customers_customer (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    name varchar(80) NOT NULL,
    order_number varchar(64) NOT NULL DEFAULT '',
    properties jsonb NOT NULL DEFAULT '{}',
    source varchar(40) NOT NULL,
    message_id varchar(120) NOT NULL,
    PRIMARY KEY (received_at, id)
) PARTITION BY RANGE (received_at);
ALTER SEQUENCE customers_event_id_seq OWNED BY customers_event.id;
CREATE INDEX customers_event_customer ON customers_event (customer_id, occurred_at DESC);
CREATE INDEX customers_event_name ON customers_event (name, id);
""" + MONTHS.replace("{table}", "customers_event")

EVENT_BACK = "DROP TABLE customers_event;"

CONSENT_GUARD = """
CREATE FUNCTION customers_refuse_consent_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('notifyhub.erasing', true) = 'on' THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION 'Consent records are append-only';
END $$;
CREATE TRIGGER customers_consentrecord_append_only BEFORE UPDATE OR DELETE ON customers_consentrecord
    FOR EACH ROW EXECUTE FUNCTION customers_refuse_consent_change();
"""

CONSENT_GUARD_BACK = """
DROP TRIGGER customers_consentrecord_append_only ON customers_consentrecord;
DROP FUNCTION customers_refuse_consent_change();
"""
