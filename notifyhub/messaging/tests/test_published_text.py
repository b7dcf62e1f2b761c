"""A mail is made ready once, when its version is published; sending takes it as it stands."""

import pytest

from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.models import Content
from notifyhub.messaging.services.templates import publish, save_content
from notifyhub.messaging.tests.factories import make_template
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, make_recipients, memory_account

pytestmark = pytest.mark.django_db

BODY = '<style>p { color: red }</style><script>alert(1)</script><p onclick="x()">Dear {{ customer.name }}</p>'


def published_mail() -> Content:
    """Return the published text of a mail with a style sheet and a script in it."""
    template = make_template()
    draft = Content.objects.get(template_version__template=template)
    save_content(
        template_id=template.pk,
        channel="email",
        language="en",
        version=draft.version,
        subject="Hello",
        body=BODY,
    )
    return publish(template_id=template.pk).contents.get()


def test_publishing_writes_styles_into_the_tags_and_takes_scripts_out() -> None:
    content = published_mail()
    assert '<p style="color: red;">Dear {{ customer.name }}</p>' in content.compiled
    assert "script" not in content.compiled
    assert "onclick" not in content.compiled


def test_sending_neither_inlines_nor_cleans_again() -> None:
    content = published_mail()
    # What publishing would never store, stored behind its back: sending must not touch it.
    page = '<style>p{color:red}</style><p onclick="x()">{{ customer.name }}<script>1</script></p>'
    Content.objects.filter(pk=content.pk).update(compiled=page, body="<p>not this</p>")
    memory_account()
    make_recipients("auto", name="Ann <b>", locale="en")
    dispatch_to(template_version=content.template_version, text=None)
    drain()
    (message,) = MemoryBackend.outbox
    assert message.html == page.replace("{{ customer.name }}", "Ann &lt;b&gt;")
