# Read by ./run and ./test: finds a Python, then begin.py makes the virtual environment and goes on.

begin() {
    # A build server may start us without any standard input.
    { : <&0; } 2>/dev/null || exec </dev/null
    for python in "${PYTHON:-}" python3.12 python3.11 python3.13 python3 python; do
        [ -n "$python" ] || continue
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
        exec "$python" -s -P "$here/notifyhub/supervise/begin.py" "$@"
    done
    echo "NotifyHub needs Python 3.11 or newer and found none; install python3 or name one with PYTHON=/path/to/python." >&2
    exit 1
}
