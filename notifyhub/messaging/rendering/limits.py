"""What a text may cost; both ways of filling it in hold to these."""

LOOPS = 1000
LOOPS_IN_ALL = 5000
OUTPUT_BYTES = 200_000
NAMESPACE_BYTES = 20_000
VALUE_LENGTH = 50_000
DATE_FORMAT_LENGTH = 60
