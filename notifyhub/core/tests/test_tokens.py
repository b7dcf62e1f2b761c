"""Signed tokens of public links."""

from django.core import signing
from django.test import override_settings

from notifyhub.core.tokens import make_token, read_token


def test_a_token_gives_back_what_was_put_in_for_its_purpose_only() -> None:
    token = make_token([7, 81], purpose="unsubscribe")
    assert read_token(token, purpose="unsubscribe") == [7, 81]
    assert read_token(token, purpose="survey") is None
    assert read_token(token[:-1] + ("A" if token[-1] != "A" else "B"), purpose="unsubscribe") is None


def test_a_token_is_signed_as_django_signs_it() -> None:
    token = make_token({"a": "李" * 200}, purpose="portal")
    signer = signing.TimestampSigner(salt="notifyhub.portal")
    value, _signature = token.rsplit(":", 1)
    assert token == f"{value}:{signer.signature(value)}"
    assert signing.loads(token, salt="notifyhub.portal") == {"a": "李" * 200}


def test_a_token_outlives_a_change_of_the_key_while_the_old_one_is_named() -> None:
    with override_settings(SECRET_KEY="old"):
        token = make_token(1, purpose="survey")
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"]):
        assert read_token(token, purpose="survey") == 1
        assert make_token(1, purpose="survey").rsplit(":", 1)[1] != token.rsplit(":", 1)[1]
    with override_settings(SECRET_KEY="new"):
        assert read_token(token, purpose="survey") is None
