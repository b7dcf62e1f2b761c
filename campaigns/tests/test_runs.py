"""A run from its launch to its end: progress, pause, cancel, report, recipients."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign, Run, RunMinute
from campaigns.services.launching import CONFIRM_ABOVE
from campaigns.services.report import certify, list_recipients, minutes_of, reasons_of
from campaigns.services.runs import cancel_run, mirror_runs, pause_run, progress_of, resume_run
from campaigns.tests.factories import make_run
from notifyhub.core.errors import Refused
from notifyhub.core.templatetags.nh import when
from notifyhub.messaging.models import Batch, Delivery, Dispatch
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def url(name: str, run: Run) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[run.campaign_id])


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("marketing_editor"))
    return client


def test_it_is_followed_from_the_launch_to_a_certificate_that_adds_up(editor: Client) -> None:
    run = make_run(willing=4, unwilling=2)
    page = editor.get(url("run", run)).content.decode()
    assert 'hx-trigger="every 3s' in page
    assert "Cancel the rest" in page
    call_command("run_worker_once")
    run.refresh_from_db()
    assert run.state == "finished"
    assert run.finished_at is not None
    assert (run.counts["planned"], run.counts["sent"], run.counts["skipped"]) == (6, 4, 2)
    page = editor.get(url("run", run)).content.decode()
    assert "It adds up." in page
    assert 'hx-trigger="every 3s' not in page
    assert "Cancel the rest" not in page
    # Who still polls is told to load the page anew, since its buttons no longer fit.
    assert editor.get(url("live", run) + "?state=running")["HX-Refresh"] == "true"
    certificate = certify(progress_of(run))
    assert certificate.closes
    assert {line.code: line.count for line in certificate.lines if line.count} == {"sent": 4, "skipped": 2}


def test_recipients_can_be_found_by_state_and_reason(editor: Client) -> None:
    run = make_run(willing=2, unwilling=1)
    call_command("run_worker_once")
    all_of_them = editor.get(url("recipients", run)).content.decode()
    assert all_of_them.count("c***@mail.example") == 2 or all_of_them.count("<tr>") >= 3
    left_out = editor.get(url("recipients", run) + "?reason=no_consent").content.decode()
    assert "Not opted in" in left_out
    rows, following = list_recipients(run, state="sent")
    assert (len(rows), following) == (2, None)
    assert list_recipients(run, reason="no_consent")[0][0].state == "Skipped"
    for odd in ("?state=x&reason=y&after=z", "?after=99999999999999999999", "?state=failed"):
        assert editor.get(url("recipients", run) + odd).status_code == 200


def test_a_bounce_reported_later_keeps_every_sum_closed(editor: Client) -> None:
    run = make_run(willing=3, unwilling=1)
    call_command("run_worker_once")
    message = Delivery.objects.filter(dispatch_id=run.dispatch_id, state=Delivery.State.DELIVERED).first()
    assert message is not None
    rows = Delivery.objects.filter(dispatch_id=run.dispatch_id, id=message.id)
    rows.update(state=Delivery.State.BOUNCED)
    batch = Batch.objects.filter(dispatch=run.dispatch_id, lo__lte=message.id, hi__gte=message.id)
    batch.update(sent=F("sent") - 1, delivered=F("delivered") - 1, failed=F("failed") + 1)
    progress = progress_of(run)
    assert certify(progress).closes
    lines = reasons_of(progress.by_reason, total=progress.skipped + progress.failed + progress.unknown)
    assert sum(line.count for line in lines) == 2
    assert [row.state for row in list_recipients(run, state="failed")[0]] == ["Bounced"]
    assert len(list_recipients(run, state="sent")[0]) == progress.sent == 2
    assert "Bounced, or reported later" in editor.get(url("run", run)).content.decode()


def test_recipients_go_on_by_key_and_never_repeat() -> None:
    run = make_run(willing=60, unwilling=0)
    first, following = list_recipients(run)
    assert len(first) == 50
    assert following is not None
    second, end = list_recipients(run, after=following)
    assert (len(second), end) == (10, None)
    seen = {row.delivery.id for row in first} & {row.delivery.id for row in second}
    assert not seen


def test_pause_stops_resume_goes_on_and_both_are_on_record(editor: Client) -> None:
    run = make_run()
    editor.post(url("pause", run), {"reason": "wrong price"})
    run = Run.objects.select_related("dispatch").get(pk=run.pk)
    assert (run.state, run.dispatch.state) == ("paused", "paused")
    assert run.dispatch.pause_reason == "Paused by marketing_editor: wrong price"
    assert "wrong price" in editor.get(url("run", run)).content.decode()
    call_command("run_worker_once")
    assert progress_of(run).sent == 0
    editor.post(url("resume", run))
    call_command("run_worker_once")
    assert progress_of(run).sent == 3
    verbs = set(AuditEntry.objects.filter(object_id=str(run.campaign_id)).values_list("verb", flat=True))
    assert {"pause_campaign", "resume_campaign"} <= verbs


def test_a_run_whose_list_is_being_made_claims_nothing_about_who_is_left_out(editor: Client) -> None:
    run = make_run(unwilling=0)
    Dispatch.objects.filter(pk=run.dispatch_id).update(state="planning")
    page = editor.get(url("run", run)).content.decode()
    assert "Known once the list is made." in page
    assert "Nobody was left out." not in page


def test_what_has_ended_is_not_paused_and_says_so(editor: Client) -> None:
    run = make_run()
    call_command("run_worker_once")
    answer = editor.post(url("pause", run), follow=True)
    assert "This run has ended" in answer.content.decode()
    with pytest.raises(Refused):
        resume_run(run_id=run.pk)


def test_beginning_end_and_span_of_a_run_agree(editor: Client) -> None:
    run = make_run()
    call_command("run_worker_once")
    mirror_runs()
    run.dispatch.refresh_from_db()
    assert run.dispatch.started_at is not None
    ended = run.dispatch.started_at + timedelta(minutes=14)
    Run.objects.filter(pk=run.pk).update(finished_at=ended)
    page = editor.get(url("run", run))
    assert (page.context["ended_at"], page.context["took"]) == (ended, timedelta(minutes=14))
    assert f"Ended {when(ended)}, after 14 min" in page.content.decode()


def test_cancel_settles_the_rest_as_cancelled(editor: Client) -> None:
    run = make_run(willing=3, unwilling=1)
    dialog = editor.get(url("cancel", run)).content.decode()
    assert 'name="shown" value="3"' in dialog
    answer = editor.post(url("cancel", run), {"shown": "3", "reason": "wrong price"})
    assert answer["HX-Redirect"] == url("run", run)
    call_command("run_worker_once")
    mirror_runs()
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert (run.counts["cancelled"], run.counts["sent"], run.counts["open"]) == (3, 0, 0)
    page = editor.get(url("run", run))
    assert page.context["not_sent"] == 4
    assert "3 expired or cancelled" in page.content.decode()
    assert f'href="{url("recipients", run)}?state=cancelled"><span>Cancelled' in page.content.decode()


def test_a_scheduled_run_is_cancelled_whole() -> None:
    at = timezone.now() + timedelta(days=1)
    schedule = {"schedule": "at", "send_at": at, "expires_after": timedelta(hours=6)}
    run = make_run(schedule=schedule)
    cancel_run(run_id=run.pk, confirmed=3)
    run.refresh_from_db()
    assert (run.state, Dispatch.objects.get().state) == ("cancelled", "cancelled")


def test_cancel_asks_for_the_number_of_the_rest_above_a_thousand(editor: Client) -> None:
    run = make_run()
    # A large run without its thousands of customers: only the counters are asked.
    Batch.objects.filter(dispatch=run.dispatch_id, skipped=0).update(hi=models_hi(run, CONFIRM_ABOVE + 5))
    rest = progress_of(run).open
    assert rest > CONFIRM_ABOVE
    assert f"Type {rest:,} to confirm" in editor.get(url("cancel", run)).content.decode()
    for data in ({}, {"confirmed": ""}, {"confirmed": "1,000"}, {"confirmed": "all of them"}):
        answer = editor.post(url("cancel", run), {"shown": str(rest), **data})
        assert answer.status_code == 422, data
        assert 'role="alert"' in answer.content.decode()
    # A number smaller than what is left is no consent to cancel what is left.
    assert editor.post(url("cancel", run), {"shown": "5", "confirmed": "5"}).status_code == 422
    assert Dispatch.objects.get().state == "running"
    answer = editor.post(url("cancel", run), {"shown": str(rest), "confirmed": f"{rest:,}"})
    assert answer["HX-Redirect"] == url("run", run)
    assert Dispatch.objects.get().state == "cancelling"


def models_hi(run: Run, rows: int) -> int:
    """Return the `hi` that makes the run's sendable batch `rows` long."""
    batch = Batch.objects.filter(dispatch=run.dispatch_id, skipped=0).first()
    assert batch is not None
    return batch.lo + rows - 1


def test_the_tick_follows_the_dispatch_and_notes_the_minute() -> None:
    run = make_run(willing=2, unwilling=0)
    Dispatch.objects.filter(pk=run.dispatch_id).update(state="paused", sent=1, planned=2)
    assert mirror_runs() == 1
    assert mirror_runs() == 0
    run.refresh_from_db()
    assert run.state == "paused"
    assert list(RunMinute.objects.filter(run=run).values_list("sent", flat=True)) == [1]
    Dispatch.objects.filter(pk=run.dispatch_id).update(state="finished", finished_at=timezone.now())
    assert mirror_runs() == 1
    run.refresh_from_db()
    assert run.state == "finished"


def test_the_chart_shows_what_was_sent_in_each_minute() -> None:
    run = make_run()
    start = timezone.now().replace(second=0, microsecond=0)
    RunMinute.objects.filter(run=run).delete()
    for minute, (sent, failed) in enumerate([(10, 0), (25, 1), (25, 3)]):
        RunMinute.objects.create(run=run, minute=start + timedelta(minutes=minute), sent=sent, failed=failed)
    chart = minutes_of(run)
    assert [one["data"] for one in chart["datasets"]] == [[10, 15, 0], [0, 1, 2]]
    assert minutes_of(run, last=1)["datasets"][0]["data"] == [0]


def test_a_campaign_without_a_run_goes_back_to_its_plan(editor: Client) -> None:
    from campaigns.tests.factories import make_campaign

    campaign = make_campaign()
    address = reverse("admin:campaigns_campaign_run", args=[campaign.pk])
    assert editor.get(address).url == reverse("admin:campaigns_campaign_audience", args=[campaign.pk])
    assert editor.get(address.replace(str(campaign.pk), "99999")).status_code == 404


def test_a_customer_with_two_contact_points_is_counted_once() -> None:
    run = make_run(willing=3, unwilling=0)
    call_command("run_worker_once")
    ids = list(Delivery.objects.filter(dispatch_id=run.dispatch_id).values_list("customer_id", flat=True))
    assert len(ids) == len(set(ids)) == 3
    assert Campaign.objects.count() == 1
    pause_error = "This run has ended"
    with pytest.raises(Refused, match=pause_error):
        pause_run(run_id=run.pk)
