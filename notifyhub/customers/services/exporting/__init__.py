"""Writing customers to a file, streamed; what a spreadsheet would take for a formula is made harmless."""

from notifyhub.customers.services.exporting.exporting import Exported, export_customers
from notifyhub.customers.services.exporting.jobs import JOB, run_export_job, start_export

__all__ = ["JOB", "Exported", "export_customers", "run_export_job", "start_export"]
