"""One worker child: what runs in a Celery child between two tasks, with pipes in place of the broker.

python -m bench.worker      says {"ready": …}; drains for each line it reads, then says how it went
"""

import json
import os
import sys
import time
from typing import Any

import django

# Django must know its settings before its models are imported.
django.setup()

import notifyhub.celery  # noqa: F401  as in a worker: for its imports and its size
from bench.cpu import Meter
from bench.processes import peak_memory
from notifyhub.messaging.engine.child import in_child
from notifyhub.messaging.engine.worker import Worker, drain_bulk
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.tasks import DRAIN_SECONDS


def drain(worker: Worker) -> dict[str, Any]:
    """Do what the bulk task does until nothing is due; return the cost."""
    with Meter() as meter:
        rows = 0
        while True:
            rows += drain_bulk(worker, seconds=DRAIN_SECONDS)
            if not worker.has_work(priority=Priority.BULK):
                break
    kinds = {kind: (cost.calls, cost.cpu, cost.wall) for kind, cost in meter.costs.items()}
    return {"rows": rows, "database_cpu": meter.cpu(), "database_wall": meter.wall(), "kinds": kinds}


def main() -> None:
    """Obey the lines on standard input until it closes."""
    in_child(lambda worker: worker.has_work(priority=Priority.BULK))
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for _line in sys.stdin:
        began, cpu = time.perf_counter(), time.process_time()
        report = in_child(drain)
        report["seconds"] = time.perf_counter() - began
        report["cpu"] = time.process_time() - cpu
        report["peak"] = peak_memory()
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
