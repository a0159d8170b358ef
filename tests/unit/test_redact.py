import base64
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.redact import MASK, Redactor, forms

SECRET = "s3cret/with+odd=chars&more"
SECRETS = st.text(st.characters(exclude_categories=("Cs",)), min_size=12, max_size=40)
NEIGHBOURS = st.binary(max_size=7)


@given(SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_a_known_secret_appears_in_no_text(secret: str, before: str, after: str) -> None:
    redactor = Redactor((secret,))
    for shape in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]):
        assert MASK in redactor.text(f"{before}{shape}{after}")
    assert secret not in redactor.text(before + secret + after).replace(MASK, "\0")


@given(st.text(st.characters(categories=("L", "N")), min_size=12, max_size=40), NEIGHBOURS, NEIGHBOURS)
def test_a_known_secret_is_found_inside_base64_of_something_longer(secret: str, before: bytes, after: bytes) -> None:
    whole = before + secret.encode() + after
    redactor = Redactor((secret,))
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert redactor.holds_known(encode(whole))


def test_a_url_quoted_secret_is_found_in_both_cases_of_its_escapes() -> None:
    redactor = Redactor((SECRET,))
    quoted = quote(SECRET, safe="")
    assert quoted != quoted.lower()
    for shape in (quoted, quoted.lower()):
        assert redactor.text(f"?a={shape}&b") == f"?a={MASK}&b"


def test_a_secret_that_contains_another_is_masked_whole() -> None:
    assert Redactor(("0123456789ab", "0123456789ab-longer")).text("x 0123456789ab-longer y") == f"x {MASK} y"


def test_short_values_are_not_searched_for() -> None:
    assert forms("short") == frozenset()
    assert Redactor(("short", "")).text("a short word") == "a short word"
    assert not Redactor(("short",)).holds_known(b"a short word")


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_" + "a1B2" * 9,
        "ghs_" + "x" * 36,
        "github_pat_" + "A1_" * 20,
        "sk-proj-" + "a-B_" * 10,
        "AKIA" + "A1B2" * 4,
        "glpat-" + "a1B2-" * 5,
        "xoxb-" + "1234567890-abc",
        "npm_" + "a1B2" * 9,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nnever closed",
    ],
)
def test_unknown_secrets_are_known_by_their_look(secret: str) -> None:
    assert Redactor().text(f"value: {secret}") == f"value: {MASK}"
    assert not Redactor().holds_known(secret.encode())  # only what is known for certain refuses a patch


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn and sk-test",
        "ghp_short",
        "https://example.com/path@v1:2",
        "mailto:someone@example.com",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "eyJhbGciOiJIUzI1NiJ9 alone",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_passwords_in_urls_are_masked_in_place() -> None:
    redactor = Redactor()
    assert redactor.text("amqp://guest:pa:ss@host:5672//") == f"amqp://guest:{MASK}@host:5672//"
    assert redactor.text("to https://x:tok@github.com/a and on") == f"to https://x:{MASK}@github.com/a and on"
    assert redactor.text("db+postgresql://u:p@h/d") == f"db+postgresql://u:{MASK}@h/d"


def test_bytes_with_a_known_secret_are_found_and_others_are_not() -> None:
    redactor = Redactor((SECRET,))
    assert redactor.holds_known(b"\xff\x00" + SECRET.encode() + b"\xff")
    assert not redactor.holds_known(b"\xff\x00 nothing")
    assert not Redactor().holds_known(SECRET.encode())


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    redactor = Redactor((SECRET,))
    once = redactor.text(text + SECRET)
    assert redactor.text(once) == once


@pytest.mark.parametrize("unit", ["a.", "a://", "eyJ", "-----BEGIN ", "sk-", "x:y@", "%2f"])
def test_hostile_text_costs_no_more_than_its_length(unit: str) -> None:
    began = time.monotonic()
    Redactor((SECRET,)).text(unit * (1_000_000 // len(unit)))
    assert time.monotonic() - began < 10
