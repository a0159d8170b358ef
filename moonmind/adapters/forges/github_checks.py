"""Probes what publishing to GitHub needs: a valid token, a repository that it can read, the right to push there.

The right to push is asked of git itself: `info/refs?service=git-receive-pack` is the first thing a push asks, and it
changes nothing. What the API calls `permissions` are the user's, which a fine-grained token may hold fewer of.
"""

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from moonmind.adapters.forges.askpass import USER
from moonmind.adapters.forges.github_api import PROBE_SECONDS, GitHubApi, Identity
from moonmind.adapters.forges.github_errors import RENEW
from moonmind.errors import MoonMindError
from moonmind.github_urls import PUBLIC
from moonmind.ports.check import Check, CheckStatus

_KINDS = {
    "ghp_": "classic",
    "github_pat_": "fine-grained",
    "gho_": "OAuth",
    "ghu_": "GitHub App user",
    "ghs_": "GitHub App installation",
}
_SCOPED = frozenset({"classic", "OAuth"})
"""Kinds whose rights are scopes. Others may come with an empty list of them, which says nothing."""
_SOON_DAYS = 7


def github_checks(api: GitHubApi, repository: str | None) -> tuple[Check, ...]:
    """Return the checks in order: github.token, github.scopes; with a repository also github.repository, github.push."""
    try:
        with api.client("say whose token this is", seconds=PROBE_SECONDS) as client:
            identity = api.identity(client)
    except MoonMindError as error:
        return (_no_answer("github.token", error, api),)
    token = _token(api, identity)
    checks = (token, _scopes(api, identity))
    if token.failed:
        return (token,)
    return checks if repository is None else (*checks, *_repository(api, repository))


def _no_answer(name: str, error: MoonMindError, api: GitHubApi) -> Check:
    """Return the check for an error. A service that cannot be asked now is `unknown`, not failed: a run waits for it."""
    status = CheckStatus.UNKNOWN if error.retryable else CheckStatus.FAILED
    facts = {"githubApi": api.api_url}
    return Check(str(error.details.get("check", name)), status, error.message, error.advice, facts)


def _token(api: GitHubApi, identity: Identity) -> Check:
    kind = kind_of(api.token, identity)
    whose = f"{kind} token of {identity.login}" if identity.login else f"{kind} token"
    if api.server_url != PUBLIC:
        whose += f" at {urlsplit(api.server_url).netloc}"
    facts = {"githubApi": api.api_url, "tokenKind": kind}
    if identity.login:
        facts["githubLogin"] = identity.login
    expires = _expiry(identity.headers.get("github-authentication-token-expiration", ""))
    if expires is None:
        return Check("github.token", CheckStatus.PASSED, whose, facts=facts)
    facts["tokenExpires"] = expires.isoformat()
    left = expires - _now(identity)
    day = f"{expires:%Y-%m-%d %H:%M} UTC"
    if left.total_seconds() <= 0:
        return Check("github.token", CheckStatus.FAILED, f"{whose}: it expired on {day}", RENEW, facts)
    soon = f", in {left.days} days" if left.days else ", in less than a day"
    words = f"{whose}; expires {day}{soon if left.days < _SOON_DAYS else ''}"
    return Check("github.token", CheckStatus.PASSED, words, facts=facts)


def _scopes(api: GitHubApi, identity: Identity) -> Check:
    listed = identity.headers.get("x-oauth-scopes")
    kind = kind_of(api.token, identity)
    if kind not in _SCOPED:
        return Check(
            "github.scopes", CheckStatus.SKIPPED, f"a {kind} token has permissions per repository instead of scopes"
        )
    if listed is None:
        return Check(
            "github.scopes", CheckStatus.SKIPPED, "GitHub lists no scopes; the check of the right to push decides"
        )
    scopes = [scope.strip() for scope in listed.split(",") if scope.strip()]
    facts = {"tokenScopes": ", ".join(scopes)}
    shown = ", ".join(scopes) or "none"
    if not {"repo", "public_repo"} & set(scopes):
        return Check(
            "github.scopes",
            CheckStatus.FAILED,
            f"the token's scopes do not allow publishing (it has: {shown})",
            "Give the token the scope `repo` (or `public_repo`, for public repositories alone), then retry.",
            facts,
        )
    note = "" if "repo" in scopes else "; public repositories only"
    return Check("github.scopes", CheckStatus.PASSED, f"{shown}{note}", facts=facts)


def _repository(api: GitHubApi, name: str) -> tuple[Check, ...]:
    try:
        with api.client(f"look up {name}", seconds=PROBE_SECONDS) as client:
            data = api.look_up(client, name).raw_data
    except MoonMindError as error:
        return (_no_answer("github.repository", error, api),)
    full_name = str(data["full_name"])
    facts = {"repository": full_name}
    renamed = "" if full_name.casefold() == name.casefold() else f", as {name} is called now"
    shown = f"{full_name}{renamed}: {'private' if data.get('private') else 'public'}"
    for state, fix in (
        ("archived", "Unarchive the repository, or name another one."),
        ("disabled", "Ask its owner, or GitHub's support."),
    ):
        if data.get(state):
            return (Check("github.repository", CheckStatus.FAILED, f"{shown} and {state}", fix, facts),)
    visible = Check("github.repository", CheckStatus.PASSED, shown, facts=facts)
    return (visible, _push(api, full_name))


def _push(api: GitHubApi, name: str) -> Check:
    """Ask git's server as a push would, and read nothing but its status."""
    import httpx  # late: a server starts without it

    url = f"{api.server_url}/{name}.git/info/refs?service=git-receive-pack"
    try:
        with (
            httpx.Client(verify=_trust(api), timeout=PROBE_SECONDS, follow_redirects=False) as client,
            client.stream("GET", url, auth=(USER, api.token)) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        # ImportError: a SOCKS proxy without its package. Values are not quoted: a header may be among them.
        words = f"could not ask {api.server_url} about the right to push ({type(error).__name__})"
        return Check(
            "github.push",
            CheckStatus.UNKNOWN,
            words,
            "Check GITHUB_SERVER_URL and the connection to it (HTTPS_PROXY, SSL_CERT_FILE).",
        )
    if status == 200:
        return Check("github.push", CheckStatus.PASSED, f"the token may push to {name}")
    if status in {401, 403, 404}:
        return Check(
            "github.push",
            CheckStatus.FAILED,
            f"the token may not push to {name} (git's server answers {status})",
            "Give the token `contents: write` (classic: scope `repo`) and its user the right to write to the repository.",
        )
    return Check("github.push", CheckStatus.UNKNOWN, f"{url.partition('?')[0]} answered HTTP {status}")


def _trust(api: GitHubApi) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=api.certificates) if api.certificates else True


def kind_of(token: str, identity: Identity) -> str:
    """Return the kind of token: by its prefix, else by whether GitHub lists scopes for it."""
    for prefix, kind in _KINDS.items():
        if token.startswith(prefix):
            return kind
    return "classic" if "x-oauth-scopes" in identity.headers else "fine-grained"


def _now(identity: Identity) -> datetime:
    """Return GitHub's own time if it sent it, else ours: a token's expiry is an instant of GitHub's clock."""
    try:
        return parsedate_to_datetime(identity.headers.get("date", ""))
    except ValueError:
        return datetime.now(UTC)


def _expiry(text: str) -> datetime | None:
    """Read `2026-12-01 10:00:00 UTC`, or the same with an offset."""
    try:
        return datetime.strptime(text.strip().replace("UTC", "+0000"), "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except ValueError:
        return None
