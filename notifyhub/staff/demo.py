"""Demo staff: one person of each role, in five teams."""

from collections.abc import Callable

from django.contrib.auth.hashers import make_password

from notifyhub.core.registry import demo_loaders
from notifyhub.staff import roles
from notifyhub.staff.models import Membership, Role, Team, User
from notifyhub.staff.services.roles import sync_roles

# Known to everybody, which is why `load_demo` refuses in production.
PASSWORD = "notifyhub-demo"

TEAMS = {
    "增长运营": Team.Department.MARKETING,
    "客服一组": Team.Department.SERVICE,
    "酒店商家部": Team.Department.MERCHANT,
    "财务部": Team.Department.FINANCE,
    "平台运维": Team.Department.OPERATIONS,
}

# username, name, role, team, leads it, language
PEOPLE = (
    ("linxia", "林夏", roles.MARKETING_EDITOR, "增长运营", False, "zh-hans"),
    ("majun", "马俊", roles.CONTENT_EDITOR, "增长运营", False, "zh-hans"),
    ("xuran", "许然", roles.MARKETING_APPROVER, "增长运营", True, "zh-hans"),
    ("zhouning", "周宁", roles.AGENT, "客服一组", False, "zh-hans"),
    ("liuxiang", "刘想", roles.SENIOR_AGENT, "客服一组", False, "zh-hans"),
    ("hejia", "何嘉", roles.SERVICE_LEAD, "客服一组", True, "zh-hans"),
    ("lixiang", "李想", roles.DEPARTMENT_MEMBER, "酒店商家部", False, "zh-hans"),
    ("chenmo", "陈默", roles.QUALITY_REVIEWER, "客服一组", False, "zh-hans"),
    ("wuyue", "吴越", roles.ANALYST, "增长运营", False, "en"),
    ("sunhao", "孙浩", roles.OPERATIONS, "平台运维", True, "en"),
    ("guanli", "关力", roles.ADMINISTRATOR, "平台运维", False, "en"),
)


def is_loaded() -> bool:
    """Say whether the demo's people are here."""
    return User.objects.filter(username=PEOPLE[0][0]).exists()


def load(say: Callable[[str], None]) -> None:
    """Make the teams and the people."""
    sync_roles()
    groups = {role.code: role.group for role in Role.objects.select_related("group")}
    teams = {
        name: Team.objects.get_or_create(name=name, defaults={"department": department})[0]
        for name, department in TEAMS.items()
    }
    for username, name, role, team, leads, language in PEOPLE:
        user = User.objects.create_user(
            username=username,
            email=f"{username}@staff.example",
            display_name=name,
            language=language,
            is_staff=True,
        )
        user.groups.add(groups[role])
        Membership.objects.create(user=user, team=teams[team], leads=leads)
    # Hashed once: it is slow on purpose, and everybody has the same.
    made = [person[0] for person in PEOPLE]
    User.objects.filter(username__in=made).update(password=make_password(PASSWORD))
    say(f"{len(PEOPLE)} members of staff, one of each role: " + ", ".join(person[0] for person in PEOPLE))


def register() -> None:
    """Hand the loader to the registry."""
    demo_loaders.register("staff", load, order=0)
