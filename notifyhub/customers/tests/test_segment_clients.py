"""Segment's own clients, with nothing changed but the host they send to."""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from notifyhub.customers.models import Alias, Customer, Event, Order, ParkedEvent
from notifyhub.staff.services.api_keys import create_api_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

NODE_CLIENT = "@segment/analytics-node@3.1.0"
SCRIPT = """
const { Analytics } = require('@segment/analytics-node')
const [host, writeKey] = process.argv.slice(2)
const analytics = new Analytics({ host, writeKey, flushAt: 4, maxRetries: 0 })
analytics.on('error', (error) => { console.error(error.code, error.reason); process.exitCode = 1 })
analytics.on('http_response', (answer) => { if (answer.status !== 200) { process.exitCode = 2 } })
analytics.page({ anonymousId: 'node-visitor', name: '首页', properties: { url: '/' } })
analytics.identify({ userId: 'N1', anonymousId: 'node-visitor',
  traits: { name: '李雷', email: 'li@mail.example' } })
analytics.track({ userId: 'N1', event: 'Order Completed', messageId: 'node-paid',
  properties: { order_id: 'NODE-1', total: 88.5, currency: 'CNY' } })
analytics.track({ userId: 'N1', event: 'Order Completed', messageId: 'node-paid',
  properties: { order_id: 'NODE-1', total: 88.5, currency: 'CNY' } })
analytics.group({ userId: 'N1', groupId: 'shop-7' })
analytics.alias({ userId: 'N1', previousId: 'node-before' })
analytics.screen({ userId: 'N1', name: 'Cart' })
analytics.closeAndFlush({ timeout: 20000 })
"""


@pytest.fixture
def write_key() -> str:
    return create_api_key(name="segment", scopes=["events:write"])[1]


@pytest.mark.parametrize("packed", [False, True])
def test_the_python_client_works_with_only_its_host_changed(
    live_server: Any, write_key: str, packed: bool
) -> None:
    from segment.analytics.client import Client

    failed: list[Any] = []
    client = Client(
        write_key,
        host=live_server.url,
        gzip=packed,
        max_retries=0,
        on_error=lambda error, batch: failed.append(error),
    )
    at = datetime(2026, 11, 1, 8, tzinfo=UTC)
    client.page(anonymous_id="py-visitor", name="首页", properties={"url": "/"})
    client.identify("P1", {"name": "王芳", "phone": "13800001111"}, anonymous_id="py-visitor")
    client.track("P1", "Order Placed", {"order_id": "PY-1", "total": 20}, timestamp=at, message_id="py-1")
    client.track("P1", "Order Placed", {"order_id": "PY-1", "total": 20}, timestamp=at, message_id="py-1")
    client.group("P1", "shop-7", {"name": "Shop"})
    client.alias("py-before", "P1")
    client.screen("P1", name="Cart")
    client.track("py-before", "Product Viewed", {"sku": "A"})
    client.flush()
    client.shutdown()
    assert failed == []
    customer = Customer.objects.get()
    assert (customer.external_id, customer.name) == ("P1", "王芳")
    names = sorted(Event.objects.filter(customer=customer).values_list("name", flat=True))
    assert names == [
        "alias_bound", "group_joined", "identified", "order_placed", "page_viewed", "product_viewed",
        "screen_viewed",
    ]  # fmt: skip
    order = Order.objects.get()
    assert (order.number, order.state, order.placed_at) == ("PY-1", "placed", at)
    assert Alias.objects.count() == 2
    assert not ParkedEvent.objects.filter(state="waiting").exists()


def test_a_wrong_write_key_reaches_the_python_clients_error_handler(live_server: Any) -> None:
    from segment.analytics.client import Client

    failed: list[Any] = []
    client = Client(
        "nh_0000000000.no", host=live_server.url, on_error=lambda error, batch: failed.append(error)
    )
    client.track("P1", "Seen")
    client.flush()
    client.shutdown()
    assert [(error.status, error.code) for error in failed] == [(401, "unauthorized")]


def test_the_node_client_works_with_only_its_host_changed(live_server: Any, write_key: str) -> None:
    folder = _node_client()
    if folder is None:
        pytest.skip("Needs node, npm and a registry to fetch the client from.")
    done = subprocess.run(
        ["node", "send.js", live_server.url, write_key],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    customer = Customer.objects.get()
    assert (customer.external_id, customer.name) == ("N1", "李雷")
    names = sorted(Event.objects.filter(customer=customer).values_list("name", flat=True))
    assert names == [
        "alias_bound", "group_joined", "identified", "order_paid", "page_viewed", "screen_viewed",
    ]  # fmt: skip
    order = Order.objects.get()
    assert (order.number, order.state, float(order.amount_paid)) == ("NODE-1", "paid", 88.5)


def _node_client() -> Path | None:
    """Return a folder with the client and the script that uses it, None if it cannot be had here."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    folder = Path(settings.DATA_DIR) / "node-client"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "send.js").write_text(SCRIPT, encoding="utf-8")
    if not (folder / "node_modules" / "@segment" / "analytics-node").is_dir():
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
        words = ["npm", "install", NODE_CLIENT, "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"]
        got = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=180)
        if got.returncode != 0:
            return None
    return folder
