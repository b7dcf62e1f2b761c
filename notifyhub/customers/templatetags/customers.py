"""Words of the customers app for templates."""

from django import template

from notifyhub.customers.words import attribute_words, event_words

register = template.Library()
register.filter("attribute_words", attribute_words)
register.filter("event_words", event_words)
