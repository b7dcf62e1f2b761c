"""The words of the demo's templates: key -> (name, class, topic, {(channel, language): (subject, text)})."""

Texts = dict[tuple[str, str], tuple[str, str]]

_MAIL = """<div style="max-width:600px;margin:0 auto;font-family:sans-serif;color:#222">
<h1 style="font-size:22px;color:#5b47d1">{title}</h1>
<p>{hello}</p>
<p>{text}</p>
<p><a href="https://luan.example/{path}" style="background:#5b47d1;color:#ffffff;padding:10px 18px;border-radius:6px;text-decoration:none">{button}</a></p>
<p style="color:#777777;font-size:12px">{foot}</p>
</div>"""  # noqa: E501

_HELLO_ZH = "{{ customer.name | default: '您好' }}，您好！"
_HELLO_EN = "Hello {{ customer.name | default: 'there' }},"


def _mail(language: str, **parts: str) -> str:
    hello = _HELLO_ZH if language == "zh-hans" else _HELLO_EN
    foot = "鹿岸生活 · 演示邮件" if language == "zh-hans" else "Lu'an Life · a demo mail"
    return _MAIL.format(hello=hello, foot=foot, **parts)


TEMPLATES: dict[str, tuple[str, str, str, Texts]] = {
    "autumn-hotpot": (
        "秋冬火锅季 · 满 120 减 30",
        "promotional",
        "food-deals",
        {
            ("push", "zh-hans"): (
                "火锅季，满 120 减 30",
                "{{ customer.city | default: '同城' }}的火锅都热好了，今晚下单立减 30 元，送到家门口。",
            ),
            ("push", "en"): (
                "Hot pot season: 30 off 120",
                "Order hot pot tonight in {{ customer.city }} and save ¥30.",
            ),
            ("sms", "zh-hans"): ("", "火锅季满120减30 https://luan.example/hotpot 拒收请回复R"),
            ("email", "zh-hans"): (
                "{{ customer.name | default: '您好' }}，今晚吃火锅吗？满 120 减 30",
                _mail(
                    "zh-hans",
                    title="秋冬火锅季",
                    text="天冷了，{{ customer.city | default: '同城' }}一百多家火锅店满 120 元立减 30 元，"
                    "热乎乎送到家。优惠至本月 30 日。",
                    path="hotpot",
                    button="去看看",
                ),
            ),
            ("email", "en"): (
                "Hot pot tonight? ¥30 off ¥120",
                _mail(
                    "en",
                    title="Hot pot season",
                    text="More than a hundred places near you take ¥30 off orders above ¥120 until the 30th.",
                    path="hotpot",
                    button="See the places",
                ),
            ),
        },
    ),
    "sanya-winter": (
        "三亚暖冬机酒早订",
        "promotional",
        "hotel-deals",
        {
            ("wechat", "zh-hans"): (
                "三亚暖冬早订",
                "海边 25 度的冬天，机票加酒店早订 85 折，12 月 10 日前有效。",
            ),
            ("email", "zh-hans"): (
                "三亚 25 度的冬天，早订 85 折",
                _mail(
                    "zh-hans",
                    title="三亚暖冬",
                    text="机票加酒店一起订，12 月 10 日前 85 折，可免费改期一次。",
                    path="sanya",
                    button="挑一家海边酒店",
                ),
            ),
            ("email", "en"): (
                "Sanya at 25 degrees, 15% off if you book early",
                _mail(
                    "en",
                    title="A warm winter in Sanya",
                    text="Flight and hotel together at 15% off until 10 December, one free change included.",
                    path="sanya",
                    button="Find a hotel by the sea",
                ),
            ),
        },
    ),
    "member-day": (
        "会员日预告",
        "promotional",
        "member-day",
        {
            ("push", "zh-hans"): (
                "会员日明天开始",
                "{{ customer.attributes.level | default: '会员' }}专享：明天 10 点起，"
                "外卖、酒店、旅行同享会员价。",
            ),
            ("push", "en"): (
                "Member day starts tomorrow",
                "Member prices on food, hotels and trips from 10:00.",
            ),
        },
    ),
    "bill-due": (
        "账单到期提醒",
        "service",
        "bill-reminders",
        {
            ("push", "zh-hans"): (
                "{{ order.merchant }}待付款",
                "订单 {{ order.number }} 还有 ¥{{ order.amount_due }} 待付，请在 {{ order.due_at }} 前完成。",
            ),
            ("push", "en"): (
                "Payment due: {{ order.merchant }}",
                "¥{{ order.amount_due }} for order {{ order.number }} is due by {{ order.due_at }}.",
            ),
            ("sms", "zh-hans"): (
                "",
                "您的订单{{ order.number }}待付¥{{ order.amount_due }}，请在{{ order.due_at }}前完成，"
                "已付请忽略。",
            ),
        },
    ),
    "stay-tomorrow": (
        "明日出行提醒",
        "service",
        "stay-reminders",
        {
            ("push", "zh-hans"): (
                "明天出发",
                "{{ order.merchant }}，{{ order.starts_at }} 开始，订单 {{ order.number }}。",
            ),
            ("wechat", "zh-hans"): (
                "明天出发",
                "{{ order.merchant }}，{{ order.starts_at }} 开始，订单 {{ order.number }}。",
            ),
            ("push", "en"): (
                "Tomorrow: {{ order.merchant }}",
                "It starts {{ order.starts_at }}, order {{ order.number }}.",
            ),
            ("sms", "zh-hans"): (
                "",
                "提醒：{{ order.merchant }}，{{ order.starts_at }}，订单{{ order.number }}。",
            ),
            ("email", "zh-hans"): (
                "明天出发：{{ order.merchant }}",
                _mail(
                    "zh-hans",
                    title="明天见",
                    text="{{ order.merchant }}，{{ order.starts_at }} 开始。"
                    "订单号 {{ order.number }}，到店报姓名即可。",
                    path="orders",
                    button="查看订单",
                ),
            ),
        },
    ),
    "birthday": (
        "生日祝福",
        "service",
        "stay-reminders",
        {
            ("push", "zh-hans"): (
                "生日快乐",
                "{{ customer.name }}，生日快乐！鹿岸生活祝您吃好、住好、玩好。",
            ),
            ("push", "en"): (
                "Happy birthday",
                "Happy birthday, {{ customer.name }}, from all of Lu'an Life.",
            ),
        },
    ),
    "member-ends": (
        "会员到期提醒",
        "service",
        "bill-reminders",
        {
            ("push", "zh-hans"): (
                "会员快到期了",
                "{{ customer.name }}，您的{{ customer.attributes.level | default: '会员' }}"
                "将在 {{ date }} 到期。",
            ),
            ("push", "en"): ("Your membership ends soon", "It ends on {{ date }}, {{ customer.name }}."),
        },
    ),
    "meal-delivered": (
        "外卖送达",
        "transactional",
        "order-updates",
        {
            ("push", "zh-hans"): ("{{ merchant }}已送达", "订单 {{ number }} 已送到，请趁热吃。"),
            ("push", "en"): ("Delivered: {{ merchant }}", "Your order {{ number }} is at the door."),
            ("sms", "zh-hans"): ("", "您的外卖{{ number }}已送达，{{ merchant }}祝您用餐愉快。"),
        },
    ),
    "booking-confirmed": (
        "预订确认",
        "transactional",
        "order-updates",
        {
            ("sms", "zh-hans"): (
                "",
                "预订成功：{{ merchant }}，{{ starts_at }}，订单{{ number }}，¥{{ amount }}。",
            ),
            ("email", "zh-hans"): (
                "预订确认：{{ merchant }}",
                _mail(
                    "zh-hans",
                    title="预订成功",
                    text="{{ merchant }}，{{ starts_at }} 开始，金额 ¥{{ amount }}。订单号 {{ number }}。",
                    path="orders",
                    button="查看订单",
                ),
            ),
            ("email", "en"): (
                "Booking confirmed: {{ merchant }}",
                _mail(
                    "en",
                    title="You are booked",
                    text="{{ merchant }}, from {{ starts_at }}, ¥{{ amount }}. Order {{ number }}.",
                    path="orders",
                    button="See the order",
                ),
            ),
        },
    ),
}
