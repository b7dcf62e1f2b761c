"""What Alibaba Cloud's codes mean for a message: https://help.aliyun.com/document_detail/101346.html

A code that is in no list is `transient`, so that a new one costs a delay and never a message or a double.
"""

from notifyhub.messaging.channels.base import Kind

# The request was refused for what it asks: it would be refused again.
PERMANENT = frozenset(
    f"isv.{code}"
    for code in (
        "BLACK_KEY_CONTROL_LIMIT",
        "DOMESTIC_NUMBER_NOT_SUPPORTED",
        "EXTEND_CODE_ERROR",
        "INVALID_JSON_PARAM",
        "INVALID_PARAMETERS",
        "MOBILE_COUNT_OVER_LIMIT",
        "MOBILE_NUMBER_ILLEGAL",
        "PARAM_LENGTH_LIMIT",
        "PARAM_NOT_SUPPORT_URL",
        "SIGN_STATE_ILLEGAL",
        "SMS_CONTENT_ILLEGAL",
        "SMS_CONTENT_MISMATCH_TEMPLATE_TYPE",
        "SMS_SIGNATURE_ILLEGAL",
        "SMS_SIGNATURE_SCENE_ILLEGAL",
        "SMS_SIGN_ILLEGAL",
        "SMS_TEMPLATE_ILLEGAL",
        "SMS_TEST_NUMBER_LIMIT",
        "SMS_TEST_SIGN_TEMPLATE_LIMIT",
        "SMS_TEST_TEMPLATE_PARAMS_ILLEGAL",
        "TEMPLATE_MISSING_PARAMETERS",
        "TEMPLATE_PARAMS_ILLEGAL",
        "UNSUPPORTED_CONTENT",
    )
)

# The account, the network or the vendor: any other message would be refused now.
TROUBLE = frozenset(
    (
        "InvalidAccessKeyId.Inactive",
        "InvalidAccessKeyId.NotFound",
        "InvalidTimeStamp.Expired",
        "ServiceUnavailable",
        "SignatureDoesNotMatch",
        "SignatureNonceUsed",
        "isp.RAM_PERMISSION_DENY",
        "isp.SYSTEM_ERROR",
        "isv.ACCOUNT_ABNORMAL",
        "isv.ACCOUNT_NOT_EXISTS",
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.DAY_LIMIT_CONTROL",
        "isv.DENY_IP_RANGE",
        "isv.MONTH_LIMIT_CONTROL",
        "isv.OUT_OF_SERVICE",
        "isv.PRODUCT_UNSUBSCRIBE",
        "isv.PRODUCT_UN_SUBSCRIPT",
    )
)

# Too many to one number: once a minute, then five an hour, then ten a day.
LIMIT = "isv.BUSINESS_LIMIT_CONTROL"
LIMIT_SECONDS = 60.0
# The gateway does not know what became of it.
IN_DOUBT = frozenset(("InternalError", "ServiceUnavailableTemporary.Timeout"))

# Of a receipt: accepted by the carrier, which has told nothing since.
UNTOLD = frozenset(("REQUEST_SUCCESS",))


def kind_of(code: str) -> tuple[Kind, bool]:
    """Return what a code proves, and whether it is trouble of the account."""
    if code == "OK":
        return "accepted", False
    if code in PERMANENT:
        return "permanent", False
    if code in IN_DOUBT:
        return "ambiguous", False
    return "transient", code in TROUBLE or code.startswith("Throttling")
