"""Files of events: what their columns mean, what a run would do, and the run itself."""
