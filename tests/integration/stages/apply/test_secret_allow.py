"""The allow files of secret scanners: what they allow, and that hostile ones allow nothing and cost little."""

import hashlib
import json
import time
from collections.abc import Mapping

import pytest

from moonmind.adapters.scanners.betterleaks import Betterleaks
from moonmind.ports.scanner import Hit
from moonmind.stages.apply.secret_allow import read_allowed

GHP = "ghp_q7Rk2mZx9LpVb4TnWc8JfHs3DgYu6EaKi1Qo"
HIT = Hit("src/a.py", 1, "github-pat", GHP, sure=True)
KEY = Hit("src/k.pem", 3, "private-key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", sure=True)
LINE = f'TOKEN = "{GHP}"'

ALLOWED: Mapping[str, tuple[str, str]] = {
    "detect-secrets": (
        ".secrets.baseline",
        json.dumps({"results": {"src/a.py": [{"hashed_secret": hashlib.sha1(GHP.encode()).hexdigest()}]}}),
    ),
    "detect-secrets, a key": (
        ".secrets.baseline",
        json.dumps({"results": {"src/k.pem": [{"hashed_secret": hashlib.sha1(b"BEGIN RSA PRIVATE KEY").hexdigest()}]}}),
    ),
    "gitleaks fingerprint": (".gitleaksignore", "# ours\nsrc/a.py:github-pat:1\n"),
    "gitleaks fingerprint of a commit": (".gitleaksignore", f"{'a1' * 20}:src/a.py:github-pat:1\n"),
    "gitleaks path": (".gitleaks.toml", "[allowlist]\npaths = ['''^src/''']\n"),
    "gitleaks regex": ("gitleaks.toml", f"[[allowlists]]\nregexes = ['''{GHP[:12]}.+''']\n"),
    "gitleaks line": (".gitleaks.toml", "[[allowlists]]\nregexTarget = 'line'\nregexes = ['^TOKEN = ']\n"),
    "gitleaks stop word": (".gitleaks.toml", f"[allowlist]\nstopwords = ['{GHP[8:16].lower()}']\n"),
    "gitleaks rule": (".gitleaks.toml", "[[rules]]\nid = 'github-pat'\n[rules.allowlist]\npaths = ['a.py']\n"),
}
NOT_ALLOWED: Mapping[str, tuple[str, str]] = {
    "another path": (".gitleaks.toml", "[allowlist]\npaths = ['''^tests/''']\n"),
    "one of two conditions": (
        ".gitleaks.toml",
        "[[allowlists]]\ncondition = 'AND'\npaths = ['src']\nstopwords = ['nothing']\n",
    ),
    "hostile regex": (".gitleaks.toml", "[allowlist]\nregexes = ['''^([A-Za-z_]+[0-9]*)+#$''', '''(''']\n"),
    "no configuration": (".gitleaks.toml", "[[[[["),
    "another secret": (".secrets.baseline", json.dumps({"results": {"src/a.py": [{"hashed_secret": "0" * 40}]}})),
    "no baseline": (".secrets.baseline", "[" * 100_000),
}


def left(name: str, content: str, hit: Hit) -> tuple[Hit, ...]:
    return read_allowed({name: content.encode()}).keep([hit], [LINE], Betterleaks())


@pytest.mark.parametrize("case", ALLOWED)
def test_what_the_base_allows_is_no_finding(case: str) -> None:
    hit = KEY if "a key" in case else HIT
    assert left(*ALLOWED[case], hit) == ()


@pytest.mark.parametrize("case", NOT_ALLOWED)
def test_what_the_base_does_not_allow_or_says_wrongly_allows_nothing(case: str) -> None:
    assert left(*NOT_ALLOWED[case], HIT) == (HIT,)


def test_hostile_expressions_end_soon() -> None:
    began = time.process_time(), time.monotonic()
    assert Betterleaks().matches(["(a+)+$", "b"], ["a" * 64 + "!", "b"]) == (frozenset(), frozenset())
    assert time.process_time() - began[0] < 1
    assert time.monotonic() - began[1] < 30
