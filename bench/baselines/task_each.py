"""A Celery task per recipient: what most projects start with."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from bench.baselines.django_mail import enqueue
from bench.models import QueuedMail
from bench.processes import end, start
from bench.sample import Mail
from bench.tasks import send_one

QUEUE = "bench-tasks"
CHILDREN = 2
PATIENCE = 600


class TaskEach:
    """A worker with two children for these tasks, kept for all rounds."""

    def __init__(self, mail: Mail) -> None:
        self.mail = mail

    def __enter__(self) -> "TaskEach":
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "mail.json"
        facts = {name: getattr(self.mail, name) for name in ("subject", "text", "html", "link")}
        path.write_text(json.dumps(facts), encoding="utf-8")
        words = ["--quiet", "-A", "notifyhub", "worker", "-Q", QUEUE, "-n", "bench-tasks@%h"]
        # Celery's own default for prefetching, which ours is not.
        words += ["-c", str(CHILDREN), "--prefetch-multiplier", "4", "--without-gossip", "--without-mingle"]
        env = os.environ | {
            "BENCH_MAIL": str(path),
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        }
        self.worker = start("-m", "celery", *words, env=env, stdout=subprocess.DEVNULL)
        self.send(2 * CHILDREN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end([self.worker])
        self.folder.cleanup()

    def send(self, count: int) -> float:
        """Publish a task per mail and wait for all of them; return messages a second."""
        began = time.perf_counter()
        rows = enqueue(self.mail, count)
        for row in rows:
            send_one.apply_async(args=(row.pk,), queue=QUEUE)
        while QueuedMail.objects.filter(state="queued").exists():
            assert self.worker.poll() is None, "the baseline's worker ended"
            assert time.perf_counter() - began < PATIENCE, "the baseline's worker does not get on"
            time.sleep(0.05)
        return count / (time.perf_counter() - began)
