"""Which secrets stop a run and which only warn: shapes that the scanner's rules leave out, file names, severity. Pure."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moonmind.ports.scanner import Hit
from moonmind.runs.findings import Severity

_SHOWN = 4
_FEWEST_SIGNS = 4
"""A token of fewer different signs is a placeholder: `ghp_xxxxxxxx`."""

# Linear all: each begins with fixed letters that what it repeats cannot hold, or is bounded by a few signs.
_SHAPES = (
    ("aws-access-key-id", re.compile(r"\b(?P<value>A(?:KIA|SIA)(?P<body>[A-Z0-9]{16}))\b")),
    ("github-token", re.compile(r"\b(?P<value>(?:gh[pousr]_|github_pat_)(?P<body>[A-Za-z0-9_]{30,255}))\b")),
    ("gitlab-token", re.compile(r"\b(?P<value>glpat-(?P<body>[A-Za-z0-9_-]{20,255}))")),
    (
        "sk-api-key",
        re.compile(
            r"\b(?P<value>sk-(?=[A-Za-z_-]{0,60}\d)(?:(?:proj|svcacct|admin|ant|or)-)?(?P<body>[A-Za-z0-9_-]{32,255}))"
        ),
    ),
    ("slack-token", re.compile(r"\b(?P<value>xox[abeoprs]-(?P<body>[A-Za-z0-9-]{16,255}))")),
    ("npm-token", re.compile(r"\b(?P<value>npm_(?P<body>[A-Za-z0-9]{36}))\b")),
    ("google-client-secret", re.compile(r"\b(?P<value>GOCSPX-(?P<body>[A-Za-z0-9_-]{28}))")),
    ("azure-client-secret", re.compile(r"(?<![\w.~-])(?P<value>(?P<body>[\w~.]{3}\dQ~[\w~.-]{31,34}))(?![\w~-])")),
    (
        "discord-webhook",
        re.compile(r"discord(?:app)?\.com/api/webhooks/\d{17,20}/(?P<value>(?P<body>[\w-]{60,72}))(?![\w-])"),
    ),
    (
        "discord-bot-token",
        re.compile(r"\b(?P<value>(?P<body>[MNO][A-Za-z0-9_-]{23,27}\.[\w-]{6}\.[\w-]{27,40}))(?![\w-])"),
    ),
    (
        "netrc-password",
        re.compile(
            r"(?m)^[ \t]{0,20}(?:machine[ \t]+\S{1,255}|default)\s{1,20}login\s{1,20}\S{1,255}\s{1,20}password[ \t]+"
            r"(?P<value>(?P<body>\S{6,255}))"
        ),
    ),
    # Also without its end, and in a string with `\n` for line ends.
    (
        "private-key",
        re.compile(
            r"(?P<value>-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr]|[\"'+,]){1,40}"
            r"(?:[A-Za-z-]{1,20}: [^\n]{0,200}\s{1,4}){0,4}(?P<body>[A-Za-z0-9+/=]{40,76}))"
        ),
    ),
    ("putty-private-key", re.compile(r"(?P<value>PuTTY-User-Key-File-\d: (?P<body>[\w@.-]{5,60}))")),
)
_PLACEHOLDER = re.compile(r"(?i)example|x{6,}|your[_-]|placeholder|redacted|\*{4,}|dummy|<[a-z_ -]+>|\.\.\.")

_LOCAL = re.compile(
    r"@(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0|db|postgres|mysql|redis|rabbitmq|mongo)(?::\d+)?(?:[/?#]|$)"
)
_NOT_LIVE = re.compile(
    r"(?i)(?:^|/)(?:tests?|specs?|__tests__|__mocks__|mocks?|fixtures?|test_?data|testing|e2e|examples?|samples?|demos?|docs?|stories)/"
    r"|(?:^|/)(?:test_[^/]+|conftest\.py|[^/]+[._-](?:test|spec|example|sample|template)(?:\.[^/]+)?)$"
    r"|\.(?:md|mdx|rst|adoc|txt\.example|example|sample|template|lock|sum|snap|svg|map|ipynb)$"
    r"|(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|yarn\.lock|composer\.lock)$"
)
"""Files of tests, examples, documents and lock files."""
_MANY_SIGNS = 8

_CREDENTIAL_FILES = re.compile(
    r"(?:.*/)?(?:id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|\.?_?netrc|\.git-credentials|\.pgpass|\.my\.cnf|\.htpasswd|\.vault-token"
    r"|\.ssh/[^/]+(?<!\.pub)|\.aws/(?:credentials|config)|(?:\.config/)?gh/hosts\.ya?ml"
    r"|(?:application_default_|service[_-]?account[\w-]*|gcloud[\w-]*)(?:credentials)?\.json|gcloud/.*credentials.*"
    r"|\.azure/(?:accessTokens\.json|azureProfile\.json|msal_token_cache.*)|\.docker/config\.json|\.dockercfg"
    r"|\.kube/config|kubeconfig|\.npmrc|\.yarnrc(?:\.yml)?|\.pypirc|auth\.json|\.?credentials(?:\.(?:json|ya?ml|toml|ini))?"
    r"|[^/]+\.(?:p12|pfx|jks|keystore|kdbx|ppk|ovpn|agekey)|secring\.gpg|\.gnupg/.+|\.terraformrc|[^/]+\.tfstate)",
    re.IGNORECASE,
)
_ENV_FILE = re.compile(r"(?:.*/)?(?:\.env|\.env\.[^/]+|[^/]+\.env|\.envrc)", re.IGNORECASE)
_ENV_SAMPLE = re.compile(r"(?:example|sample|template|dist|defaults?|test)s?$", re.IGNORECASE)

_OWN = frozenset(name for name, _ in _SHAPES)


@dataclass(frozen=True, slots=True)
class Suspect:
    """What looks like a secret in what would be published, without the secret."""

    path: str
    line: int | None
    """None: the name itself, or a binary file."""
    rule: str
    masked: str
    severity: Severity
    fingerprint: str
    """Names the finding when a person accepts it; empty for what only warns."""
    value: str = field(repr=False)
    """The secret itself; it is in no other form of this."""
    name: str = field(repr=False)
    """The file as the change names it; `path` may be masked."""

    @property
    def place(self) -> str:
        """Return `path:line`."""
        return self.path if self.line is None else f"{self.path}:{self.line}"

    @property
    def words(self) -> str:
        """Return the finding in a few words, for people."""
        return f"{self.rule} {self.masked}"

    def as_json(self) -> dict[str, Any]:
        """Return the form in an error's details and in `apply_output`."""
        return {
            "fingerprint": self.fingerprint,
            "path": self.path,
            "line": self.line,
            "rule": self.rule,
            "value": self.masked,
            "severity": self.severity.value,
        }


def own_hits(name: str, text: str) -> Iterator[Hit]:
    """Find shapes that the scanner's rules leave out or that are cut short."""
    for rule, pattern in _SHAPES:
        for found in pattern.finditer(text):
            if len(set(found["body"])) >= _FEWEST_SIGNS:
                line = text.count("\n", 0, found.start("value")) + 1
                yield Hit(name, line, rule, found["value"], sure=True)


def severity(hit: Hit, now: float) -> Severity:
    """Return REFUSE for private keys and live tokens, ASK for what may be live, WARN for the rest: placeholders, tests' keys."""
    if not hit.sure:
        return Severity.ASK if _may_be_live(hit) else Severity.WARN
    if "private-key" in hit.rule:
        return Severity.REFUSE
    if _PLACEHOLDER.search(hit.value) or "_test_" in hit.value:
        return Severity.WARN
    if hit.rule == "jwt" and _expired(hit.value, now):
        return Severity.WARN
    return Severity.REFUSE


def _may_be_live(hit: Hit) -> bool:
    """Return True for a value that nobody would write by hand, in a file that is neither test, example nor document."""
    value = hit.value.rpartition("@")[0] or hit.value
    if (
        _PLACEHOLDER.search(hit.value)
        or "_test_" in hit.value
        or _LOCAL.search(hit.value)
        or _NOT_LIVE.search(hit.name)
    ):
        return False
    mixed = any(sign.isdigit() for sign in value) and any(sign.isalpha() for sign in value)
    return mixed and len(set(value)) >= _MANY_SIGNS


def merged(hits: Iterator[Hit]) -> tuple[Hit, ...]:
    """Drop what another hit says of the same text too: one secret, one finding."""
    kept: dict[tuple[str, str], Hit] = {}
    ordered = sorted(hits, key=lambda hit: (hit.name, not hit.sure, hit.rule in _OWN, -len(hit.value), hit.line))
    for hit in ordered:
        known = [other for (name, _), other in kept.items() if name == hit.name]
        if not any(hit.value in other.value or other.value in hit.value for other in known):
            kept[hit.name, hit.value] = hit
    return tuple(sorted(kept.values(), key=lambda hit: (hit.name, hit.line, hit.rule)))


def masked(value: str) -> str:
    """Return the first four characters and the length: enough to find it again, too little to use it."""
    head = value[:_SHOWN] if len(value) > 3 * _SHOWN else ""
    return f"{head}… ({len(value)} characters)"


def fingerprint(run_id: str, path: str, hit: Hit) -> str:
    """Return the finding's name in this run: it says nothing of the secret, and another secret has another one."""
    said = "\0".join((run_id, path, hit.rule, hit.value))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def file_name_words(path: str) -> str | None:
    """Return why a file's name alone deserves a look, None where it does not."""
    if _CREDENTIAL_FILES.fullmatch(path):
        return "its name is that of a file with credentials"
    if _ENV_FILE.fullmatch(path) and not _ENV_SAMPLE.search(path):
        return "files of this name hold the settings and secrets of one machine"
    return None


def _expired(token: str, now: float) -> bool:
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return bool(claims["exp"] < now)
    except (ValueError, LookupError, TypeError, RecursionError):
        return False
