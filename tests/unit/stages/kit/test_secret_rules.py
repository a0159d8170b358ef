"""Own shapes, file names, severity, and what is shown of a secret."""

import time

import pytest

from moonmind.ports.scanner import Hit
from moonmind.runs.findings import Severity
from moonmind.stages.kit.secret_rules import file_name_words, fingerprint, masked, merged, own_hits, severity

SURE = Hit("a", 1, "github-pat", "ghp_q7Rk2mZx9LpVb4TnWc8JfHs3DgYu6EaKi1Qo", sure=True)


@pytest.mark.parametrize(
    "path",
    [
        ".env", "a/.env.local", "prod.env", ".envrc", ".netrc", "_netrc", ".git-credentials", ".ssh/work", "id_ed25519",
        ".aws/credentials", ".config/gh/hosts.yml", ".azure/accessTokens.json", ".kube/config", ".docker/config.json",
        "service-account-prod.json", "application_default_credentials.json", ".npmrc", ".pypirc", "x.pfx", "x.tfstate",
    ],
)  # fmt: skip
def test_files_that_hold_credentials_are_known_by_name(path: str) -> None:
    assert file_name_words(path)


@pytest.mark.parametrize(
    "path", [".env.example", "sample.env.template", ".ssh/id_rsa.pub", "environment.py", "src/keys.py"]
)
def test_other_files_are_not(path: str) -> None:
    assert file_name_words(path) is None


def test_what_is_shown_is_four_characters_and_a_length() -> None:
    assert masked(SURE.value) == "ghp_… (40 characters)"
    assert masked("short-one") == "… (9 characters)"


def test_a_fingerprint_is_of_one_secret_in_one_place_of_one_run() -> None:
    others = [("r2", "p", SURE), ("r", "q", SURE), ("r", "p", Hit("a", 1, "github-pat", "x" * 40, sure=True))]
    assert fingerprint("r", "p", SURE) == fingerprint("r", "p", SURE)
    assert fingerprint("r", "p", SURE) not in {fingerprint(*other) for other in others}


@pytest.mark.parametrize(
    ("rule", "value", "sure", "level"),
    [
        ("github-pat", SURE.value, True, Severity.REFUSE),
        ("github-pat", "ghp_EXAMPLEexampleEXAMPLEexampleEXAMPLE1", True, Severity.WARN),
        ("generic-api-key", SURE.value, False, Severity.ASK),
        ("generic-api-key", "your-password-here-1", False, Severity.WARN),
        ("generic-api-key", "correct-horse-battery", False, Severity.WARN),
        ("generic-api-key", "aaaaaaaa1111", False, Severity.WARN),
        ("database", "postgres://app:q7Zr9TkW2mXv4B@db.internal:5432/app", False, Severity.ASK),
        ("database", "postgres://app:q7Zr9TkW2mXv4B@localhost:5432/app", False, Severity.WARN),
        ("database", "postgres://app:q7Zr9TkW2mXv4B@postgres/app", False, Severity.WARN),
        ("stripe-access-token", "sk_test_4eC39HqLyjWDarjtT1zdp7dc", True, Severity.WARN),
        ("private-key", "-----BEGIN PRIVATE KEY-----\nComment: example\nMIIE", True, Severity.REFUSE),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc", True, Severity.REFUSE),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE1MTYyMzkwMjJ9.abc", True, Severity.WARN),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.not base64.abc", True, Severity.REFUSE),
    ],
)
def test_what_may_be_live_stops_and_the_rest_warns(rule: str, value: str, sure: bool, level: Severity) -> None:
    assert severity(Hit("a", 1, rule, value, sure), now=1.7e9) is level


@pytest.mark.parametrize(
    "name",
    ["tests/test_a.py", "src/app.test.ts", "test_a.py", "README.md", "docs/a.html", "examples/a.env", ".env.example", "poetry.lock",
     "web/__tests__/a.js", "spec/a.rb", "fixtures/a.json", "conftest.py", "package-lock.json"],
)  # fmt: skip
def test_what_may_be_live_only_warns_in_tests_examples_and_documents(name: str) -> None:
    assert severity(Hit(name, 1, "generic-api-key", "q7Zr9TkW2mXv4B", sure=False), now=1.7e9) is Severity.WARN


@pytest.mark.parametrize(
    "name", ["src/a.py", ".env", "config/production.yml", "latest/a.py", "src/contest.py", "docker-compose.yml"]
)
def test_what_may_be_live_is_asked_about_elsewhere(name: str) -> None:
    assert severity(Hit(name, 1, "generic-api-key", "q7Zr9TkW2mXv4B", sure=False), now=1.7e9) is Severity.ASK


def test_one_secret_is_one_finding() -> None:
    own = Hit("a", 1, "github-token", SURE.value, sure=True)
    generic = Hit("a", 1, "generic-api-key", f"x{SURE.value}", sure=False)
    assert merged(iter([own, generic, SURE])) == (SURE,)
    assert len(merged(iter([SURE, Hit("b", 1, "github-pat", SURE.value, sure=True)]))) == 2


@pytest.mark.parametrize(
    "unit",
    ["AKIA", "sk-", "sk-a", "xoxb-", "ghp_", "github_pat_", "glpat-", "M.", "machine a\n", " ", "\n", "default login ",
     "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\\n", "a1Q~", "discord.com/api/webhooks/1", "M-"],
)  # fmt: skip
def test_own_shapes_take_time_in_proportion_to_the_text(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    began = time.thread_time()
    list(own_hits("a", text))
    assert time.thread_time() - began < 1.5
