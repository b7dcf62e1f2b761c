"""What demo customers complain about: category, severity, summary, their words, our words, how it ended."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Story:
    """One complaint as it may happen."""

    category: str
    severity: str
    summary: str
    said: str
    answer: str
    outcome: tuple[str, str, str]  # decision, resolution, root cause
    kind: str = "complaint"


STORIES = (
    Story(
        "late",
        "S3",
        "等了 95 分钟，骑手电话打不通",
        "十二点下的单，一点半还没到，骑手电话一直没人接。",
        "已联系配送站换骑手，预计 15 分钟送到，配送费已退回。",
        ("upheld", "refunded", "delivery"),
    ),
    Story(
        "missing-items",
        "S3",
        "少送两份小炒，商家不认",
        "点了四个菜只来了两个，商家说都装了。",
        "核对出餐照片后确认漏送，两份菜的钱今天原路退回。",
        ("upheld", "refunded", "merchant"),
    ),
    Story(
        "not-received",
        "S2",
        "订单取消 6 天，¥286 仍未退回",
        "上周五取消的酒店，说三天到账，到今天没看到。",
        "银行退回了第一笔，已重新发起，预计明天 18 点前到账。",
        ("upheld", "fixed", "payment"),
    ),
    Story(
        "no-room",
        "S2",
        "三亚湾两晚被取消，要求安排同级房",
        "前台说没有我们的预订，带着老人孩子在大堂等。",
        "已和酒店确认同楼层海景房，差价由我们承担。",
        ("upheld", "compensated", "supplier"),
    ),
    Story(
        "message-not-received",
        "S3",
        "酒店入住提醒没收到，到店说没有房",
        "一条提醒都没有，前台说中午十二点没确认就取消了。",
        "短信因号码失效没有送到，已改用 App 推送，并为您保留房间。",
        ("upheld", "fixed", "message"),
    ),
    Story(
        "foreign-object",
        "S1",
        "饭里吃出金属丝，孩子牙龈划伤",
        "吃第二口时孩子喊疼，吐出一截金属丝，牙龈出血了。",
        "已请商家停售该菜并送检，就医费用由平台先行垫付。",
        ("upheld", "compensated", "merchant"),
    ),
    Story(
        "not-usable",
        "S4",
        "火锅券提示「不适用门店」，活动页写通用",
        "活动页写全城通用，结账时说这家店不能用。",
        "活动页漏写了除外门店，已为您换一张通用券。",
        ("partly", "compensated", "promotion"),
    ),
    Story(
        "charged-twice",
        "S2",
        "同一单扣了两次款",
        "一单外卖扣了两次 64 元，银行短信都在。",
        "重复的一笔已原路退回，两小时内到账。",
        ("upheld", "refunded", "payment"),
    ),
    Story(
        "rider",
        "S3",
        "骑手把餐放在楼下就走",
        "备注写了送上楼，电话都没打就点了送达。",
        "已提醒骑手并记录，本单配送费退回。",
        ("upheld", "apologised", "delivery"),
    ),
    Story(
        "too-many",
        "S4",
        "一周收到 4 条酒店优惠，要求少发",
        "不订酒店，能不能别再发了。",
        "已按您的要求退订酒店优惠，不会再发。",
        ("upheld", "fixed", "message"),
    ),
    Story(
        "quality",
        "S4",
        "奶茶比以前淡很多",
        "同一家店同一款，这次像兑了水。",
        "已反馈给商家品控，感谢您告诉我们。",
        ("partly", "forwarded", "merchant"),
    ),
    Story(
        "cancellation",
        "S3",
        "航班取消，退票费不该我出",
        "航空公司取消的，你们还扣我 20%。",
        "已按非自愿退票重新计算，退票费全额退回。",
        ("upheld", "refunded", "supplier"),
    ),
    Story(
        "damaged",
        "S3",
        "汤全洒了，袋子里都是",
        "汤面只剩面，袋子漏了一路。",
        "已全额退款，抱歉影响了您的午饭。",
        ("upheld", "refunded", "delivery"),
    ),
    Story(
        "message-wrong",
        "S3",
        "提醒里的入住日期写错了一天",
        "短信说 22 号入住，我订的是 23 号。",
        "订单日期是 23 号，短信取了旧数据，已更正。",
        ("upheld", "explained", "message"),
    ),
    Story(
        "other",
        "S4",
        "企业抬头开错，需要税号",
        "发票抬头少了「有限」两个字。",
        "已作废重开，新发票发到您的邮箱。",
        ("upheld", "fixed", "product"),
        "enquiry",
    ),
    Story(
        "other",
        "S4",
        "希望能把短信提醒改成微信",
        "短信经常看不到，微信方便。",
        "在「我的—消息设置」里可以改，已帮您改好。",
        ("withdrawn", "explained", "unknown"),
        "suggestion",
    ),
    Story(
        "rider",
        "S4",
        "骑手大雨中送药，想转达感谢",
        "昨晚那么大的雨，十分钟就送到了，请一定转达。",
        "一定转达，也谢谢您特意打来。",
        ("withdrawn", "forwarded", "unknown"),
        "praise",
    ),
)
