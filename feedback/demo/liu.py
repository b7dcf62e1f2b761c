"""刘婉清's case: the check-in reminder that never arrived, and what she had complained about before."""

from datetime import timedelta

from feedback.demo.rows import Sheet
from feedback.demo.shapes import FOOD, HOTEL, NONE, Open, Story, Turn
from feedback.demo.work import finish_one, merge_into, open_one
from notifyhub.customers.demo.story import BOOKING, NUMBER, check_in
from notifyhub.customers.models import ContactPoint, Order
from notifyhub.customers.models.consent import Channel
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.messaging.services.ledger import messages_of

BEFORE = (
    (
        113,
        12,
        Story(
            "missing-items",
            "S3",
            FOOD,
            "外卖少送一份汤",
            "点了两份汤只来一份。",
            "少送的汤已退款 ¥12，抱歉。",
            ("upheld", "refunded", "merchant"),
        ),
    ),
    (
        69,
        15,
        Story(
            "other",
            "S4",
            HOTEL,
            "发票抬头修改",
            "酒店发票抬头写成了个人，要改成公司。",
            "已重开，发到您的邮箱。",
            ("upheld", "fixed", "product"),
            "enquiry",
        ),
    ),
)
CASE = Open(
    "zhouning",
    "open",
    32,
    Story(
        "message-not-received",
        "S2",
        HOTEL,
        "酒店入住提醒没收到，到店说没有房",
        "我订的三亚海棠湾，一条提醒都没收到。前台说中午 12 点没确认就取消了，现在满房。"
        "我带着老人孩子在大堂等，请马上处理。",
        "",
        NONE,
        source="app",
    ),
    (
        Turn(
            "out",
            27,
            "刘女士您好，我是客服周宁。您的短信因号码失效没有送到，是我们没有换其他方式通知您。"
            "我正在和酒店协调同级房，40 分钟内给您结果。",
            "push",
        ),
        Turn(
            "note", 25, "@李想 酒店系统写「客人未到取消」，订单却已付全款。请商家部先要同级房，差价我们担。"
        ),
        Turn("in", 24, "好，请快一点，孩子有点发烧。"),
    ),
)
AGAIN = Story(
    "no-room",
    "S2",
    HOTEL,
    "三亚海棠湾酒店没有房",
    "刚在 App 里提交过，再打个电话催一下。",
    "",
    NONE,
    source="phone",
)


def tell_what_happened() -> None:
    """Record that her number is out of service by now, and that the hotel gave her room away at noon."""
    ContactPoint.objects.filter(customer__external_id=NUMBER, kind="phone").update(
        valid=False, invalid_reason=ContactPoint.Invalid.NOT_IN_SERVICE
    )
    record_events(
        [
            EventIn(
                message_id=f"demo-{BOOKING}-booking_cancelled",
                name="booking_cancelled",
                occurred_at=check_in() - timedelta(hours=2),
                external_id=NUMBER,
                order_number=BOOKING,
                properties={"merchant": "海棠湾花园酒店", "by": "hotel"},
                source="demo",
            )
        ]
    )


def add_her_past(sheet: Sheet) -> None:
    """Add what she had asked for before."""
    for days, hour, story in BEFORE:
        created = (sheet.now - timedelta(days=days)).replace(hour=hour, minute=24)
        old = Order.objects.select_related("customer").filter(customer__external_id=NUMBER, line=story.line)
        case = finish_one(sheet, story, created, old.first(), source="phone")
        case.order_number = case.subject_ref = ""


def add_her_case(sheet: Sheet) -> None:
    """Add the case about the reminder, which knows the message it is about, and her impatient second one."""
    booking = Order.objects.select_related("customer").get(number=BOOKING)
    case = open_one(sheet, CASE, booking)
    # The text message came back; that the next channel is closed to her is another line.
    lost = next(
        (
            line
            for line in messages_of(booking.customer_id, 20)
            if "明日入住" in line.title and line.channel == Channel.SMS
        ),
        None,
    )
    if lost is not None:
        case.delivery_ref = lost.reference
        case.delivery_line = f"短信 · {lost.title} · 空号"
    merge_into(sheet, case, AGAIN, booking, 22)
