"""SQL of the import's memory: unlogged, since losing it in a crash loses only the note "came before"."""

SEEN = """
CREATE UNLOGGED TABLE customers_importseen (
    run_id bigint NOT NULL,
    customer_id bigint NOT NULL,
    line bigint NOT NULL,
    PRIMARY KEY (run_id, customer_id)
);
"""

SEEN_BACK = "DROP TABLE customers_importseen;"
