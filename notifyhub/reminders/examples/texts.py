"""The words of the examples: key -> (name, class, {(channel, language): (subject, text)})."""

from django.utils.translation import gettext_lazy as _

ZH, EN = "zh-hans", "en"
Words = dict[tuple[str, str], tuple[str, str]]


def _words(
    *,
    title: tuple[str, str],
    text: tuple[str, str],
    sms: tuple[str, str] = ("", ""),
    also: tuple[str, ...] = (),
) -> Words:
    """Return the same title and text for push (and `also`) in Chinese and English, and the "
    "short ones for SMS."""
    words: Words = {}
    for channel in ("push", *also):
        for place, language in enumerate((ZH, EN)):
            words[channel, language] = (title[place], text[place])
    for place, language in enumerate((ZH, EN)):
        if sms[place]:
            words["sms", language] = ("", sms[place])
    return words


TEXTS: dict[str, tuple[object, str, Words]] = {
    "bill-before": (
        _("Bill due soon"),
        "service",
        _words(
            title=(
                "{{ order.merchant | default: '账单' }}待付款",
                "Payment due: {{ order.merchant | default: 'your bill' }}",
            ),
            text=(
                "账单 {{ order.number }} 还有 ¥{{ order.amount_due }} 待付，请在 "
                "{{ order.due_at }} 前完成。已付请忽略。",
                "¥{{ order.amount_due }} for {{ order.number }} is due by {{ order.due_at }}. "
                "Already paid? Then all is well.",
            ),
            sms=(
                "您的账单{{ order.number }}待付¥{{ order.amount_due }}，"
                "请在{{ order.due_at }}前完成，已付请忽略。",
                "CNY {{ order.amount_due }} for {{ order.number }} is due by "
                "{{ order.due_at }}. Paid already? Please ignore.",
            ),
        ),
    ),
    "bill-after": (
        _("Bill overdue"),
        "service",
        _words(
            title=("账单已过期", "Your bill is overdue"),
            text=(
                "账单 {{ order.number }} 的 ¥{{ order.amount_due }} 应于 {{ order.due_at }} "
                "付清。有疑问请联系客服，我们会先核对。",
                "¥{{ order.amount_due }} for {{ order.number }} was due on {{ order.due_at }}. "
                "Questions? Write to us first.",
            ),
            sms=(
                "您的账单{{ order.number }}应于{{ order.due_at }}付清，"
                "待付¥{{ order.amount_due }}。如有疑问请联系客服，已付请忽略。",
                "CNY {{ order.amount_due }} for {{ order.number }} was due on "
                "{{ order.due_at }}. Questions or paid already? Tell us.",
            ),
        ),
    ),
    "unpaid-order": (
        _("Order waits for payment"),
        "transactional",
        _words(
            title=("订单待支付", "Your order waits for payment"),
            text=(
                "{{ order.merchant }} 的订单 {{ order.number }} 还没付款，"
                "¥{{ order.amount_due }}，超时会自动取消。",
                "Order {{ order.number }} at {{ order.merchant }} is not paid yet: "
                "¥{{ order.amount_due }}. It lapses if you wait too long.",
            ),
            sms=(
                "您的订单{{ order.number }}待付¥{{ order.amount_due }}，超时将自动取消。",
                "Order {{ order.number }} waits for CNY {{ order.amount_due }} and lapses soon.",
            ),
        ),
    ),
    "booking-tomorrow": (
        _("Booking tomorrow"),
        "service",
        _words(
            title=("明天见：{{ order.merchant }}", "Tomorrow: {{ order.merchant }}"),
            text=(
                "{{ order.merchant }}，{{ order.starts_at }} 开始。订单 {{ order.number }}，到店报姓名即可。",
                "{{ order.merchant }}, {{ order.starts_at }}. Booking {{ order.number }}: your "
                "name is enough at the desk.",
            ),
            sms=(
                "提醒：{{ order.merchant }}，{{ order.starts_at }}，订单{{ order.number }}。"
                "如需改期请提前联系。",
                "Reminder: {{ order.merchant }}, {{ order.starts_at }}, booking "
                "{{ order.number }}. To change it, tell us today.",
            ),
            also=("wechat",),
        ),
    ),
    "cart-recall": (
        _("Things left in the cart"),
        "promotional",
        _words(
            title=("购物车还在等您", "Your cart is still here"),
            text=(
                "{{ customer.name | default: '您好' }}，您选的东西还在购物车里，库存不多，随时可以下单。",
                "{{ customer.name | default: 'Hello' }}, what you chose is still in your cart. "
                "Order whenever you like.",
            ),
            sms=(
                "您选的商品还在购物车里，点App即可下单。拒收请回复R",
                "What you chose is still in your cart; open the app to order. Reply STOP",
            ),
        ),
    ),
    "membership-ends": (
        _("Membership ending"),
        "service",
        _words(
            title=("会员快到期了", "Your membership ends soon"),
            text=(
                "{{ customer.name | default: '您好' }}，您的会员将在 {{ date }} 到期，续费后权益不断。",
                "{{ customer.name | default: 'Hello' }}, your membership ends on {{ date }}. "
                "Renew it and nothing changes.",
            ),
            sms=(
                "您的会员将在{{ date }}到期，续费请打开App。",
                "Your membership ends on {{ date }}. Renew it in the app.",
            ),
        ),
    ),
    "coupon-ends": (
        _("Coupon ending"),
        "promotional",
        _words(
            title=("优惠券快过期了", "Your coupon ends soon"),
            text=(
                "{{ event.coupon_name | default: '您的优惠券' }}将在 {{ date }} 过期，记得用上。",
                "{{ event.coupon_name | default: 'Your coupon' }} ends on {{ date }}. Use it in time.",
            ),
            sms=(
                "您的优惠券将在{{ date }}过期，打开App使用。拒收请回复R",
                "Your coupon ends on {{ date }}; use it in the app. Reply STOP",
            ),
        ),
    ),
    "birthday": (
        _("Birthday"),
        "promotional",
        _words(
            title=("生日快乐", "Happy birthday"),
            text=(
                "{{ customer.name | default: '您好' }}，生日快乐！祝您吃好、住好、玩好。",
                "Happy birthday, "
                "{{ customer.name | default: 'and thank you for being with us' }}: eat well, "
                "sleep well, travel well.",
            ),
        ),
    ),
    "review-request": (
        _("How was it?"),
        "service",
        _words(
            title=("{{ order.merchant }}怎么样？", "How was {{ order.merchant }}?"),
            text=(
                "订单 {{ order.number }} 已完成，说一句感受，帮到店家，也帮到后来的人。",
                "Order {{ order.number }} is done. One sentence from you helps the place and "
                "whoever comes next.",
            ),
        ),
    ),
    "win-back": (
        _("We have not seen you for a while"),
        "promotional",
        _words(
            title=("好久不见", "It has been a while"),
            text=(
                "{{ customer.name | default: '您好' }}，好久不见，"
                "{{ customer.city | default: '您附近' }}又多了不少好店。",
                "{{ customer.name | default: 'Hello' }}, it has been a while: there are new "
                "places in {{ customer.city | default: 'your city' }}.",
            ),
            sms=(
                "好久不见，您附近又多了不少好店，打开App看看。拒收请回复R",
                "It has been a while: there are new places near you. Reply STOP",
            ),
        ),
    ),
    "late-order": (
        _("Sorry, your order is late"),
        "transactional",
        _words(
            title=("抱歉，让您久等了", "Sorry, your order is late"),
            text=(
                "订单 {{ order.number }} 晚于约定的 {{ order.promised_at }}，我们正在催。"
                "不想等可以在订单页取消。",
                "Order {{ order.number }} was promised for {{ order.promised_at }} and is late. "
                "We are on it; you may cancel it in the app.",
            ),
            sms=(
                "抱歉，您的订单{{ order.number }}晚于约定时间{{ order.promised_at }}，"
                "我们正在催促，给您添麻烦了。",
                "Sorry: order {{ order.number }}, promised for {{ order.promised_at }}, is "
                "late. We are on it.",
            ),
        ),
    ),
    "travel-exception": (
        _("Change to your flight or parcel"),
        "transactional",
        _words(
            title=("行程或包裹有变化", "A change to your trip or parcel"),
            text=(
                "{{ event.what | default: '您的订单' }}："
                "{{ event.status | default: '有变化' }}。{{ event.advice | default: '详情见订单页。' }}",
                "{{ event.what | default: 'Your order' }}: "
                "{{ event.status | default: 'something has changed' }}. "
                "{{ event.advice | default: 'See the order for more.' }}",
            ),
            sms=(
                "{{ event.what | default: '您的订单' }}：{{ event.status | default: '有变化' }}，详情见App。",
                "{{ event.what | default: 'Your order' }}: "
                "{{ event.status | default: 'something has changed' }}. See the app.",
            ),
        ),
    ),
}
