import base64
import codecs
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.redact import MASK, Redactor, forms

SECRET = "s3cret/with+odd=chars&more"
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=12, max_size=40)
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
        "mm_" + "a1B2_-" * 7 + "x",
        "mm_" + "x" * 42 + "Q",
        "mm_" + "-_" * 21 + "Z",
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
        "mm_" + "A" * 42,
        "mm_get_unmapped_area_of_a_very_long_name_in_the_kernel",
        "common_mm_" + "A" * 43,
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


# What each search means, as one regular expression; some of them take quadratic time.
MEANINGS = (
    r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,255}\b",
    r"\bgithub_pat_[A-Za-z0-9_]{20,255}\b",
    r"\bsk-[A-Za-z0-9_-]{20,255}",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\bglpat-[A-Za-z0-9_-]{20,255}",
    r"\bxox[abprs]-[A-Za-z0-9-]{10,255}",
    r"\bnpm_[A-Za-z0-9]{36}\b",
    r"\bmm_(?=[A-Za-z0-9_-]{0,42}[A-Z])[A-Za-z0-9_-]{43}",
    r"\beyJ[A-Za-z0-9_-]{10,8000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{10,1000}",
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]{0,20000}?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    r"(?P<head>\b[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@]{0,200}:)[^\s/@]{1,500}(?=@)",
)
FRAGMENTS = [
    "eyJ", ".eyJ", ".", "-", "a" * 10, "a" * 9, "A1" * 8, "AKIA", "ghp_", "github_pat_", "sk-", "npm_", "mm_", "xoxb-", "glpat-",
    "-----", "-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----", "BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----", "END PRIVATE KEY-----", "https://", "://", ":", "@", "/", "u", " ", "\n", "é", "[redacted]",
    "x" * 19_950, "x" * 20_001, "y" * 7_990, "z" * 990,
]  # fmt: skip


def meant(text: str) -> str:
    for meaning in MEANINGS:
        text = re.sub(meaning, lambda found: (found.groupdict().get("head") or "") + MASK, text)
    return text


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join))
def test_each_search_masks_what_its_regular_expression_means(text: str) -> None:
    assert Redactor().text(text) == meant(text)


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----" + "x" * 20_010 + "-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----------BEGIN EC PRIVATE KEY-----" + "x" * 19_990 + "-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----" + "x" * 20_000,
        "-----BEGIN PRIVATE KEY-----" + "x" * 20_001,
        "-eyJ" * 2_500 + "eyJ" + "a" * 7_990 + ".eyJ" + "b" * 8_000 + "." + "c" * 1_200,
        "eyJaaaaaaaaaa.eyJaaaaaaaaaa.eyJaaaaaaaaaa.eyJaaaaaaaaaa",
    ],
)
def test_the_bounds_of_a_search_are_those_of_its_meaning(text: str) -> None:
    assert Redactor().text(text) == meant(text)


def test_overlapping_secrets_are_masked_together() -> None:
    redactor = Redactor(("abcdefghijklmnop", "klmnopqrstuvwxyz"))
    assert redactor.text("<abcdefghijklmnopqrstuvwxyz>") == f"<{MASK}>"


@pytest.mark.parametrize("before", range(9))
@pytest.mark.parametrize("after", range(5))
def test_a_secret_is_found_at_every_distance_from_both_ends(before: int, after: int) -> None:
    secret = "0123456789ab"
    text = "x" * before + secret + "y" * after
    assert Redactor((secret,)).text(text) == "x" * before + MASK + "y" * after
    assert not Redactor((secret,)).holds_known(text.replace("9", "8").encode())


def _base64(data: bytes) -> bytes:
    return base64.b64encode(data)


ENCODED = {
    "hex": lambda data: data.hex().encode(),
    "HEX": lambda data: data.hex().upper().encode(),
    "hex pairs": lambda data: data.hex(" ").encode(),
    "hex pairs with colons": lambda data: data.hex(":").encode(),
    "hex escapes": lambda data: "".join(f"\\x{byte:02x}" for byte in data).encode(),
    "C bytes": lambda data: ", ".join(f"0x{byte:02x}" for byte in data).encode(),
    "percent": lambda data: "".join(f"%{byte:02X}" for byte in data).encode(),
    "base32": base64.b32encode,
    "lower base32": lambda data: base64.b32encode(data).lower(),
    "base64 twice": lambda data: _base64(_base64(data)),
    "base64 in URLs, twice": lambda data: base64.urlsafe_b64encode(base64.urlsafe_b64encode(data)),
    "UTF-16-LE": lambda data: data.decode().encode("utf-16-le"),
    "UTF-16-BE": lambda data: data.decode().encode("utf-16-be"),
    "UTF-16 with its mark": lambda data: codecs.BOM_UTF16_LE + data.decode().encode("utf-16-le"),
    "UTF-32": lambda data: data.decode().encode("utf-32"),
    "base64 of UTF-16": lambda data: _base64(data.decode().encode("utf-16-le")),
    "reversed": lambda data: data.decode()[::-1].encode(),
}


@pytest.mark.parametrize("secret", [SECRET, "ghp_" + "a1B2" * 9, "p4ss-w0rd", "pässwörter-säge"])
@pytest.mark.parametrize("before", range(5))
@pytest.mark.parametrize("encode", ENCODED.values(), ids=ENCODED)
def test_a_secret_is_found_in_every_encoding(encode: Callable[[bytes], bytes], before: int, secret: str) -> None:
    redactor = Redactor((secret,))
    shape = encode(b"<" * before + secret.encode() + b"> and more")
    assert redactor.holds_known(b"\xff" * before + shape + b"\xff")
    assert not redactor.holds_known(redactor.data(shape))
    assert not redactor.holds_known(encode(b"<" * before + b"nothing of the kind, at all"))


@pytest.mark.parametrize("at", range(1, len(SECRET), 3))
@pytest.mark.parametrize(
    "gap",
    [
        "\n", "\r\n", "\n    ", "\\\n", " \\\n\t", "\n\n\n", "\n+", "\n+    ", "\n \n",
        '"\n"', "'\n    '", '" +\n    "', "' . \r\n  '", '",\n"', '" \\\n+  "', "` +\n-  `", '")\n  + ("',
    ],
)  # fmt: skip
def test_a_secret_is_found_across_a_line_break(gap: str, at: int) -> None:
    redactor = Redactor((SECRET,))
    head = "diff --git a/a b/a\n+" if gap.startswith(("\n+", "\n-")) else "x = "
    text = f'{head}"{SECRET[:at]}{gap}{SECRET[at:]}"\nnext'
    assert redactor.holds_known(text.encode())
    masked = redactor.data(text.encode())
    assert masked.decode() == f'{head}"{MASK}{gap}{MASK}"\nnext'
    assert redactor.text(text) == masked.decode()


def test_a_secret_of_one_sign_a_line_is_found() -> None:
    redactor = Redactor((SECRET,))
    text = "\n".join(f'  "{sign}" +' for sign in SECRET)
    assert redactor.holds_known(text.encode())
    assert not redactor.holds_known(redactor.data(text.encode()))


@given(
    st.lists(st.sampled_from(["\n", "+", '"', " ", "s3cret/with", "+odd=chars&more", "-", "diff --git "]), max_size=12)
)
def test_nothing_that_is_found_is_left(pieces: list[str]) -> None:
    redactor = Redactor((SECRET,))
    masked = redactor.data("".join(pieces).encode())
    assert not redactor.holds_known(masked)
