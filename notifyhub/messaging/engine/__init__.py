"""Planning, leasing, sending and settling: see docs/adr on the pipeline, and each module's own words.

plan_sql -> planner make rows and batches; lease -> window -> write send one window; reaper, finish and the
ticks put right what a dead process left; worker is the loop that ties them.
"""
