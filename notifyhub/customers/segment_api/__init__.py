"""The API that Segment's clients speak: with the host changed to ours they send to us."""
