"""Writing the demo's cases."""

from datetime import timedelta
from random import Random

from django.utils import timezone, translation

from feedback.demo.liu import add_her_case, add_her_past, tell_what_happened
from feedback.demo.rows import Sheet, Shelf
from feedback.demo.sending import send_replies
from feedback.demo.work import fill
from feedback.models import Case, CaseEvent, Category, Interaction, SlaClock, SlaPolicy
from feedback.models.flow import ENDED
from feedback.services import clocks, holds, news, telling
from feedback.services.categories import ensure_categories
from notifyhub.customers.demo.story import NUMBER
from notifyhub.customers.models import ContactPoint, Hold, Order
from notifyhub.staff.models import Team, User

AGENTS = ("zhouning", "liuxiang", "hejia")
TEAM = "客服一组"
LANGUAGE = "zh-hans"


def load_cases() -> int:
    """Make the demo's cases and return how many; none without customers or agents."""
    ensure_categories()
    clocks.ensure_policies()
    agents = {user.username: user for user in User.objects.filter(username__in=AGENTS).order_by("username")}
    orders = list(
        Order.objects.exclude(customer__external_id=NUMBER)
        .filter(placed_at__gt=timezone.now() - timedelta(days=90))
        .select_related("customer")
        .order_by("placed_at")
    )
    if not orders or len(agents) < len(AGENTS):
        return 0
    tell_what_happened()
    sheet = Sheet(
        rng=Random(20261121),
        now=timezone.localtime(),
        team=Team.objects.filter(name=TEAM).first(),
        agents=agents,
        shelves={line: _shelf(orders, line) for line in Order.Line.values},
        points={},
        tree={category.code: category for category in Category.objects.all()},
        policies={policy.severity: policy for policy in SlaPolicy.objects.all()},
    )
    for point in ContactPoint.objects.filter(
        customer__in={order.customer_id for order in orders}, primary=True
    ) | ContactPoint.objects.filter(customer__external_id=NUMBER, primary=True):
        sheet.points.setdefault(point.customer_id or 0, {})[point.kind] = point
    with translation.override(LANGUAGE):
        add_her_past(sheet)
        fill(sheet)
        add_her_case(sheet)
        _write(sheet)
        send_replies(sheet)
        _tell(sheet)
    telling.tell_past_cases()
    return len(sheet.cases)


def _shelf(orders: list[Order], line: str) -> Shelf:
    dated = [(order.placed_at, order) for order in orders if order.line == line and order.placed_at]
    return Shelf([order for _at, order in dated], [at for at, _order in dated])


def _write(sheet: Sheet) -> None:
    # A case that another one was merged into must be there first.
    Case.objects.bulk_create([case for case in sheet.cases if case.merged_into is None])
    Case.objects.bulk_create([case for case in sheet.cases if case.merged_into is not None])
    for line in sheet.lines:
        line.origin_case = line.case
    Interaction.objects.bulk_create(sheet.lines)
    CaseEvent.objects.bulk_create(sorted(sheet.events, key=lambda event: event.at))
    SlaClock.objects.bulk_create(sheet.clocks())
    clocks.show_next_due([case.pk for case in sheet.cases if case.is_open])


def _tell(sheet: Sheet) -> None:
    """Hold promotions where a serious case asks for it, and ring for what is open."""
    for case in sheet.cases:
        if case.state in ENDED:
            continue
        holds.sync_hold(case)
        if case.is_open:
            news.tell_leads(case)
    for case in sheet.cases:
        Hold.objects.filter(origin_kind=holds.ORIGIN, origin_id=case.number).update(placed_at=case.created_at)
