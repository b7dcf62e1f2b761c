"""SQL of the first migration: the three partitioned tables of the ledger."""

from notifyhub.customers.migrations._sql import MONTHS

# Settling and receipts write state, reason, tries, account_id and the times: no index, no index predicate
# may name them, or those updates stop being HOT. Storage options belong to the leaves.
LEAF_OPTIONS = "WITH (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.05)"
RANGE = 100_000

DELIVERY = f"""
CREATE SEQUENCE messaging_delivery_block INCREMENT BY 50000 MINVALUE 0 START 0;
CREATE TABLE messaging_delivery (
    dispatch_id bigint NOT NULL,
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    contact_id bigint,
    dedup_key bigint NOT NULL,
    send_at timestamptz NOT NULL,
    settled_at timestamptz,
    delivered_at timestamptz,
    read_at timestamptz,
    account_id integer,
    state smallint NOT NULL DEFAULT 0,
    step smallint NOT NULL DEFAULT 0,
    tries smallint NOT NULL DEFAULT 0,
    channel varchar(10) NOT NULL,
    reason varchar(20) NOT NULL DEFAULT '',
    PRIMARY KEY (dispatch_id, id),
    CONSTRAINT messaging_delivery_once UNIQUE (dispatch_id, dedup_key, step)
) PARTITION BY RANGE (dispatch_id);
CREATE INDEX messaging_delivery_customer ON messaging_delivery (customer_id, id DESC);
CREATE TABLE messaging_delivery_0 PARTITION OF messaging_delivery
    FOR VALUES FROM (0) TO ({RANGE}) {LEAF_OPTIONS};
CREATE TABLE messaging_delivery_{RANGE} PARTITION OF messaging_delivery
    FOR VALUES FROM ({RANGE}) TO ({2 * RANGE}) {LEAF_OPTIONS};
CREATE TABLE messaging_delivery_default PARTITION OF messaging_delivery DEFAULT {LEAF_OPTIONS};
"""

DELIVERY_BACK = "DROP TABLE messaging_delivery; DROP SEQUENCE messaging_delivery_block;"

DELIVERYEVENT = """
CREATE SEQUENCE messaging_deliveryevent_id_seq AS bigint CACHE 100;
CREATE TABLE messaging_deliveryevent (
    id bigint NOT NULL DEFAULT nextval('messaging_deliveryevent_id_seq'),
    at timestamptz NOT NULL,
    dispatch_id bigint NOT NULL,
    delivery_id bigint NOT NULL,
    account_id integer,
    kind varchar(14) NOT NULL,
    provider_ref varchar(120) NOT NULL DEFAULT '',
    code varchar(40) NOT NULL DEFAULT '',
    detail varchar(300) NOT NULL DEFAULT '',
    worker varchar(120) NOT NULL DEFAULT '',
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
ALTER SEQUENCE messaging_deliveryevent_id_seq OWNED BY messaging_deliveryevent.id;
CREATE INDEX messaging_event_delivery ON messaging_deliveryevent (dispatch_id, delivery_id);
-- For receipts, which know only the vendor's reference.
CREATE INDEX messaging_event_ref ON messaging_deliveryevent (provider_ref) WHERE provider_ref <> '';
-- For the lists of failed and unknown messages and for rates by the minute.
CREATE INDEX messaging_event_kind ON messaging_deliveryevent (kind, at);
""" + MONTHS.replace("{table}", "messaging_deliveryevent")

DELIVERYEVENT_BACK = "DROP TABLE messaging_deliveryevent;"

MESSAGECOPY = """
CREATE SEQUENCE messaging_messagecopy_id_seq AS bigint CACHE 100;
CREATE TABLE messaging_messagecopy (
    id bigint NOT NULL DEFAULT nextval('messaging_messagecopy_id_seq'),
    at timestamptz NOT NULL,
    dispatch_id bigint NOT NULL,
    delivery_id bigint NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
ALTER SEQUENCE messaging_messagecopy_id_seq OWNED BY messaging_messagecopy.id;
CREATE INDEX messaging_copy_delivery ON messaging_messagecopy (dispatch_id, delivery_id);
""" + MONTHS.replace("{table}", "messaging_messagecopy")

MESSAGECOPY_BACK = "DROP TABLE messaging_messagecopy;"

# The key leads with the customer: a window looks a hundred of them up. `at` and `used` stand in no index, so
# counting again stays HOT.
SENDCOUNT = """
CREATE TABLE messaging_sendcount (
    customer_id bigint NOT NULL,
    respect bigint NOT NULL,
    at timestamptz NOT NULL,
    day date NOT NULL,
    used smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (customer_id, respect, day)
) PARTITION BY RANGE (day);
""" + MONTHS.replace("{table}", "messaging_sendcount")

SENDCOUNT_BACK = "DROP TABLE messaging_sendcount;"

# What is known of dispatch ids is always of yesterday: of the dispatch that is being sent the database would
# believe that it has no rows, and read all of them for each look-up. Without statistics it guesses a share of
# the table, which is as right as it gets. Partitions that are made later get the same (see ticks.py).
GUESS_DISPATCHES = "ALTER TABLE messaging_delivery ALTER COLUMN dispatch_id SET STATISTICS 0;"
GUESS_DISPATCHES_BACK = "ALTER TABLE messaging_delivery ALTER COLUMN dispatch_id SET STATISTICS -1;"
