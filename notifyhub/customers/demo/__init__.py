"""Demo customers: five thousand people of several Chinese cities, with orders, events and consents."""

from collections.abc import Callable
from random import Random

from notifyhub.core.registry import demo_loaders
from notifyhub.customers.demo.events import load_events
from notifyhub.customers.demo.orders import load_orders
from notifyhub.customers.demo.people import date_people, load_people
from notifyhub.customers.demo.story import load_her, load_her_consents, orders_of
from notifyhub.customers.demo.topics import load_consents, load_topics
from notifyhub.customers.demo.watch import load_watch
from notifyhub.customers.services.traits import refresh_due_blocks

COUNT = 5_000


def load(say: Callable[[str], None]) -> None:
    """Make topics, customers, orders, events and consents."""
    rng = Random(20261120)
    load_topics()
    ids = load_people(rng, COUNT)
    say(f"{len(ids):,} customers in ten cities; nobody owns their numbers and mailboxes")
    her = load_her()
    date_people()
    orders = load_orders(rng, ids, besides=orders_of(her))
    say(f"{orders:,} orders and the events behind them")
    say(f"{load_consents():,} consents, each with the record of how it was given")
    load_her_consents()


def load_portraits(say: Callable[[str], None]) -> None:
    """Compute everybody's portrait from what the other loaders have made."""
    say(f"{refresh_due_blocks(seconds=float('inf')):,} portraits, from orders and reactions")


def watch(say: Callable[[str], None]) -> None:
    """Let rules watch what came in."""
    say(f"4 watch rules, which found {load_watch()} things that should not have happened")


def register() -> None:
    """Hand the loaders to the registry."""
    demo_loaders.register("customers", load, order=10)
    demo_loaders.register("events", load_events, order=12)
    demo_loaders.register("portraits", load_portraits, order=60)
    demo_loaders.register("watch", watch, order=90)
