"""What is kept of an import: its plan, how far it came, what it could not take."""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from notifyhub.core.flow import Flow
from notifyhub.staff.models import Job, User


class CustomerImport(models.Model):
    """One file with customers or events: uploaded or named on the command line, and how far it has been read.

    `cursor` moves in the transaction of each chunk, so a run that was killed goes on where it stopped. The
    file itself is swept after a day; this row and its problems hold no personal data and stay.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Not started")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")

    FLOW = Flow(
        {
            State.DRAFT: frozenset({State.RUNNING}),
            State.RUNNING: frozenset({State.DONE}),
            State.DONE: frozenset(),
        }
    )

    class Kind(models.TextChoices):
        CUSTOMERS = "customers", _("Customers")
        EVENTS = "events", _("Events")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.CUSTOMERS)
    file_name = models.CharField(_("file name"), max_length=200)
    path = models.CharField(_("path"), max_length=500, blank=True)
    file_sha = models.CharField(_("fingerprint of the file"), max_length=64)
    plan = models.JSONField(_("plan"), default=dict)
    plan_sha = models.CharField(_("fingerprint of the plan"), max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    cursor = models.BigIntegerField(_("rows read"), default=0)
    total = models.BigIntegerField(_("rows in the file"), null=True)
    created = models.BigIntegerField(_("created"), default=0)
    updated = models.BigIntegerField(_("changed"), default=0)
    unchanged = models.BigIntegerField(_("unchanged"), default=0)
    duplicates = models.BigIntegerField(_("repeated rows"), default=0)
    bad = models.BigIntegerField(_("bad rows"), default=0)
    consents = models.BigIntegerField(_("consents recorded"), default=0)
    opt_outs_kept = models.BigIntegerField(_("opt-outs kept"), default=0)
    # Of a file of events: `created` are the events taken, `duplicates` those known before.
    parked = models.BigIntegerField(_("parked events"), default=0)
    people = models.BigIntegerField(_("customers created"), default=0)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, related_name="+", verbose_name=_("job"))
    started_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("started by")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("customer import")
        verbose_name_plural = _("customer imports")
        ordering = ["-id"]
        default_permissions = ()
        indexes = [
            # For a run that is started again after it was killed.
            models.Index(
                fields=["file_sha", "plan_sha"],
                name="customers_import_resume",
                condition=models.Q(state="running"),
            )
        ]

    def __str__(self) -> str:
        return self.file_name

    def numbers(self, names: Sequence[str]) -> dict[str, Any]:
        """Return some of its counts by name."""
        return {name: getattr(self, name) for name in names}


class ImportProblem(models.Model):
    """A row that was not taken, or that a later one replaced; the value is masked.

    The reason is kept as a code with parameters, so that each reader gets it in their language.
    """

    run = models.ForeignKey(CustomerImport, models.CASCADE, related_name="problems", verbose_name=_("import"))
    line = models.BigIntegerField(_("line"))
    column = models.CharField(_("column"), max_length=120, blank=True)
    value = models.CharField(_("value"), max_length=60, blank=True)
    code = models.CharField(_("reason"), max_length=30)
    params = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("import problem")
        verbose_name_plural = _("import problems")
        ordering = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.line} {self.code}"
