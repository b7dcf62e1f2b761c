"""SQL of the guard of the case history."""

EVENT_GUARD = """
CREATE FUNCTION feedback_refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The history of a case is append-only';
END $$;
CREATE TRIGGER feedback_caseevent_append_only BEFORE UPDATE OR DELETE ON feedback_caseevent
    FOR EACH ROW EXECUTE FUNCTION feedback_refuse_event_change();
"""

EVENT_GUARD_BACK = """
DROP TRIGGER feedback_caseevent_append_only ON feedback_caseevent;
DROP FUNCTION feedback_refuse_event_change();
"""
