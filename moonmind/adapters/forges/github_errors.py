"""Reads GitHub's answers as our errors: what it means for a run, and what a person does about it.

Source: GitHub's REST documentation ("Troubleshooting the REST API", "Rate limits for the REST API"); GitHub Enterprise
Server answers alike.
"""

import email.utils
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from moonmind.errors import (
    CredentialInvalid,
    ForgeError,
    ForgeLimited,
    ForgeRefused,
    ForgeUnavailable,
    MoonMindError,
    RepositoryArchived,
    RepositoryUnavailable,
)
from moonmind.redact import Redactor

RENEW = (
    "Create a token on GitHub (fine-grained: contents and pull requests, read and write; classic: scope `repo`), set "
    "GH_TOKEN to it, and restart MoonMind's processes."
)
_DEFAULT_PAUSE = 60.0
"""Seconds. What GitHub's documentation asks for when a secondary limit names no time."""
_LONGEST_PAUSE = 2 * 3600.0
"""Seconds. A primary limit opens within the hour; an answer that asks for more is not believed."""
_SSO = re.compile(r"required;\s*url=(?P<url>\S+)")
_LIMITED = re.compile(r"rate limit|abuse detection", re.IGNORECASE)


class Answer:
    """An answer that is no success, from whichever client it came."""

    def __init__(self, status: int, headers: Mapping[str, Any], body: Any) -> None:
        self.status = status
        self.headers = {str(name).lower(): str(value) for name, value in headers.items()}
        self._body = body if isinstance(body, Mapping) else {}

    @property
    def message(self) -> str:
        """Return GitHub's own message, on one line and at most 300 characters; empty if it sent none."""
        return " ".join(str(self._body.get("message") or "").split())[:300]

    @property
    def complaints(self) -> tuple[str, ...]:
        """Return what a 422 says about each field."""
        found = []
        for item in self._body.get("errors") or ():
            if isinstance(item, Mapping):
                words = item.get("message") or " ".join(str(item[key]) for key in ("field", "code") if key in item)
                found.append(" ".join(str(words).split())[:300])
            else:
                found.append(" ".join(str(item).split())[:300])
        return tuple(found)

    def invalid(self, field: str) -> bool:
        """Return True if a 422 calls the field invalid."""
        return any(
            isinstance(item, Mapping) and item.get("field") == field and item.get("code") == "invalid"
            for item in self._body.get("errors") or ()
        )


def translate(answer: Answer, asked: str, *, server: str) -> MoonMindError:
    """Return the error for an answer. `asked` is what was tried, as in "look up acme/demo"; `server` the web's origin."""
    words = f": {answer.message}" if answer.message else ""
    said = f"GitHub answered {answer.status} when asked to {asked}{words}"
    details: dict[str, Any] = {"status": answer.status, "requestId": answer.headers.get("x-github-request-id", "")}
    if (pause := _pause(answer)) is not None:
        kind = "its rate limit is used up" if _is_primary(answer) else "too many requests at once"
        return ForgeLimited(f"GitHub asks to wait {pause:.0f} seconds: {kind} ({said})", seconds=pause, **details)
    if answer.status == 401:
        message = f"GitHub does not accept the token: it is wrong, expired or revoked ({said})"
        return CredentialInvalid(message, remediation=RENEW, check="github.token", **details)
    if answer.status >= 500 or answer.status in {408, 425}:
        return ForgeUnavailable(said, **details)
    if answer.status in {403, 404} and (sso := _SSO.search(answer.headers.get("x-github-sso", ""))):
        return CredentialInvalid(
            f"the organization requires single sign-on, and the token is not authorized for it ({said})",
            remediation=f"Authorize the token for the organization{_at(sso['url'], server)}, then retry.",
            check="github.sso",
            **details,
        )
    if answer.status == 403 and "archived" in answer.message.lower():
        return RepositoryArchived(said, **details)
    if answer.status == 403:
        return _forbidden(answer, said, details)
    if answer.status in {404, 410, 451}:
        return RepositoryUnavailable(f"not found, or not visible to this token ({said})", **details)
    complaints = "; ".join(answer.complaints)
    return ForgeRefused(f"{said} ({complaints})" if complaints else said, **details)


def unreachable(error: Exception, asked: str, api_url: str, redactor: Redactor) -> ForgeError:
    """Return the error for a request that got no answer, redacted: a library's message may quote the request."""
    host = urlsplit(api_url).netloc
    return ForgeUnavailable(f"could not ask {host} to {asked} ({redactor.text(_reason(error))})", host=host)


def _forbidden(answer: Answer, said: str, details: Mapping[str, Any]) -> CredentialInvalid:
    """Return the error for a refused operation, with the missing permission or scope if GitHub names it."""
    permissions = answer.headers.get("x-accepted-github-permissions", "")
    scopes = answer.headers.get("x-accepted-oauth-scopes", "")
    if permissions:
        fix = f"Give the token the permission {permissions.replace('=', ': ')}"
    elif scopes:
        fix = f"Give the token one of the scopes {scopes}"
    else:
        fix = "Give the token contents and pull requests (read and write), or scope `repo`"
    return CredentialInvalid(
        f"the token may not do this ({said})",
        remediation=f"{fix}, or use the token of a user who may; then retry.",
        check="github.permission",
        **details,
    )


def _is_primary(answer: Answer) -> bool:
    return answer.headers.get("x-ratelimit-remaining") == "0"


def _pause(answer: Answer) -> float | None:
    """Return the seconds that GitHub asks to wait; None if the answer is no rate limit.

    A reset is an instant of GitHub's clock: it is measured against the answer's own date, not against ours.
    """
    if answer.status not in {403, 429}:
        return None
    after = answer.headers.get("retry-after", "")
    if not (after or _is_primary(answer) or answer.status == 429 or _LIMITED.search(answer.message)):
        return None
    pause = _seconds_until(after, answer) if after else None
    if pause is None and _is_primary(answer):
        pause = _seconds_until(answer.headers.get("x-ratelimit-reset", ""), answer, absolute=True)
    return min(max(_DEFAULT_PAUSE if pause is None else pause, 1.0), _LONGEST_PAUSE)


def _seconds_until(text: str, answer: Answer, *, absolute: bool = False) -> float | None:
    if text.isdigit() and not absolute:
        return float(text)
    now = _instant(answer.headers.get("date", ""))
    then = float(text) if text.isdigit() else _instant(text)
    return None if now is None or then is None else then - now


def _instant(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


def _at(url: str, server: str) -> str:
    """Name the page only where it is on the forge itself: a header is no reason to send people elsewhere."""
    return f" at {url}" if url.startswith(f"{server}/") else ""


def _reason(error: BaseException) -> str:
    """Return why a connection failed, from the innermost of the wrapped errors: only that one holds the cause."""
    seen: list[BaseException] = []
    inner: BaseException | None = error
    while inner is not None and inner not in seen:
        seen.append(inner)
        nested = next((part for part in inner.args if isinstance(part, BaseException)), None)
        inner = nested or getattr(inner, "reason", None) or inner.__cause__ or inner.__context__
        if not isinstance(inner, BaseException):
            inner = None
    last = seen[-1]
    words = " ".join(str(last).split())[:200]
    return f"{type(last).__name__}: {words}" if words else type(last).__name__
