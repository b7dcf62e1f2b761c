"""The closed lists of a case: what it is, how it came, what is wished, how it ended."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    COMPLAINT = "complaint", _("Complaint")
    ENQUIRY = "enquiry", _("Enquiry")
    FEEDBACK = "feedback", _("Feedback")
    SUGGESTION = "suggestion", _("Suggestion")
    PRAISE = "praise", _("Praise")
    REGULATOR = "regulator", _("Regulator case")


class Source(models.TextChoices):
    PHONE = "phone", _("Phone")
    APP = "app", _("App")
    WEB = "web", _("Website")
    EMAIL = "email", _("Email")
    SMS = "sms", _("SMS")
    CHAT = "chat", _("Chat")
    SOCIAL = "social", _("Social media")
    REGULATOR = "regulator", _("Regulator")
    INTERNAL = "internal", _("Internal")


class Caller(models.TextChoices):
    SELF = "self", _("The customer")
    FAMILY = "family", _("Family")
    MERCHANT = "merchant", _("Merchant")
    RIDER = "rider", _("Rider")


class Priority(models.TextChoices):
    P1 = "P1", _("P1")
    P2 = "P2", _("P2")
    P3 = "P3", _("P3")
    P4 = "P4", _("P4")


class Remedy(models.TextChoices):
    REFUND = "refund", _("Refund")
    REDO = "redo", _("Do it again")
    APOLOGY = "apology", _("Apology")
    COMPENSATION = "compensation", _("Compensation")
    EXPLANATION = "explanation", _("Explanation")
    CALL_BACK = "call_back", _("Call back")
    OTHER = "other", _("Other")


class Decision(models.TextChoices):
    UPHELD = "upheld", _("Upheld")
    PARTLY = "partly", _("Partly upheld")
    NOT_UPHELD = "not_upheld", _("Not upheld")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Resolution(models.TextChoices):
    EXPLAINED = "explained", _("Explained")
    FIXED = "fixed", _("Put right")
    REFUNDED = "refunded", _("Refunded")
    COMPENSATED = "compensated", _("Compensated")
    APOLOGISED = "apologised", _("Apologised")
    FORWARDED = "forwarded", _("Passed on")
    NO_ANSWER = "no_answer", _("Customer did not answer")
    NOT_POSSIBLE = "not_possible", _("Cannot be done")


class RootCause(models.TextChoices):
    MERCHANT = "merchant", _("Merchant")
    DELIVERY = "delivery", _("Rider or delivery")
    PRODUCT = "product", _("App or website")
    PAYMENT = "payment", _("Payment or refund")
    MESSAGE = "message", _("Message sent by us")
    PROMOTION = "promotion", _("Campaign or coupon")
    SUPPLIER = "supplier", _("Hotel, airline or partner")
    CUSTOMER = "customer", _("Customer's mistake")
    UNKNOWN = "unknown", _("Not found")
