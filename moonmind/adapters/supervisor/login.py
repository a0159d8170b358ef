"""Speaks for a ChatGPT login that stays outside of the sandbox: adds its access token, and renews it where it must be."""

import base64
import binascii
import contextlib
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from moonmind.adapters.supervisor.folder import try_lock, write_whole

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
"""Codex's own, which the login was made for."""
REFRESH_URL = "https://auth.openai.com/oauth/token"
_EARLY_SECONDS = 300.0
_LOCK_SECONDS = 30.0
_WRITING_SECONDS = 2.0
"""How long a login may be incomplete on the disk: Codex itself empties the file and then writes it."""
_ANSWER_SECONDS = 30.0


class LoginRefused(Exception):
    """The login cannot be used any more, or cannot be renewed; the words name no token."""


class Credential(Protocol):
    """Provides the headers that are added to a request to the model."""

    def headers(self) -> dict[str, str]:
        """Return the headers. Raises LoginRefused, OSError."""
        ...

    def renewed(self, used: Mapping[str, str]) -> bool:
        """Return True if a request that was refused with these headers may be tried again. Raises LoginRefused, OSError."""
        ...


class Key:
    """An API key: good or bad, and never renewed."""

    def __init__(self, key: str) -> None:
        self._key = key

    def headers(self) -> dict[str, str]:
        """Return the headers."""
        return {"Authorization": f"Bearer {self._key}"}

    def renewed(self, used: Mapping[str, str]) -> bool:  # noqa: ARG002 - there is nothing to compare with
        """Return False."""
        return False


class ChatGpt:
    """A stored ChatGPT login. Many jobs may use it at once; one at a time renews it, and the file has the newest tokens."""

    def __init__(self, source: Path, refresh_url: str, writing_seconds: float = _WRITING_SECONDS) -> None:
        self._source = source
        self._writing_seconds = writing_seconds
        self._refresh_url = refresh_url or REFRESH_URL
        self._guard = threading.Lock()

    def headers(self) -> dict[str, str]:
        """Return the headers, of a renewed token where the stored one is about to expire."""
        access, account = relayed(self._stored()) or ("", "")
        if not access:
            raise LoginRefused(f"{self._source} holds no ChatGPT login that can be used")
        if expiry(access) <= time.time() + _EARLY_SECONDS:
            access, account = self._renew(access)
        return {"Authorization": f"Bearer {access}", "ChatGPT-Account-ID": account}

    def renewed(self, used: Mapping[str, str]) -> bool:
        """Return True once the file holds another token than the refused one."""
        self._renew(used["Authorization"].removeprefix("Bearer "))
        return True

    def _renew(self, old: str) -> tuple[str, str]:
        with self._guard, _held(self._source):
            body = self._stored()
            now = relayed(body)
            if now is not None and now[0] != old:  # another job, or the operator's own Codex, was first
                return now
            tokens = body.get("tokens")
            refresh_token = tokens.get("refresh_token") if isinstance(tokens, dict) else None
            if not isinstance(tokens, dict) or not isinstance(refresh_token, str) or not refresh_token:
                raise LoginRefused("the stored ChatGPT login has no refresh token any more: run `codex login`")
            tokens |= self._asked(refresh_token)
            body["last_refresh"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            # Written before it is used: the old refresh token is worth nothing any more.
            write_whole(self._source, json.dumps(body, indent=2).encode())
            found = relayed(body)
        if found is None:
            raise LoginRefused("the renewed login holds no token that can be used")
        return found

    def _asked(self, refresh_token: str) -> dict[str, str]:
        terms = {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": refresh_token}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._refresh_url, json.dumps(terms).encode(), headers)  # noqa: S310 - ours, or the operator's
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - as above
                given = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code < 500:
                words = (
                    f"the ChatGPT login cannot be renewed (HTTP {error.code}, refresh token refused): run `codex login`"
                )
                raise LoginRefused(words) from None
            raise
        except ValueError:
            raise LoginRefused("the answer to the renewal of the ChatGPT login cannot be read") from None
        names = ("id_token", "access_token", "refresh_token")
        return {name: given[name] for name in names if isinstance(given, dict) and isinstance(given.get(name), str)}

    def _stored(self) -> dict[str, Any]:
        deadline = time.monotonic() + self._writing_seconds
        while (body := self._read()) is None:
            if time.monotonic() > deadline:
                raise LoginRefused(f"{self._source} is not valid JSON")
            time.sleep(0.02)
        if not isinstance(body, dict) or not isinstance(body.get("tokens"), dict):
            raise LoginRefused(f"{self._source} holds no ChatGPT login")
        return body

    def _read(self) -> object:
        """Return what the file holds; None while it is not valid JSON, as one that is just being written. Raises LoginRefused."""
        try:
            return json.loads(self._source.read_bytes())
        except FileNotFoundError:
            raise LoginRefused("the operator has logged out") from None
        except ValueError:
            return None


def relayed(stored: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return access token and account of a stored login; None for one that only Codex itself can use."""
    tokens = stored.get("tokens")
    if not isinstance(tokens, dict) or not isinstance(tokens.get("refresh_token"), str) or not tokens["refresh_token"]:
        return None
    access = tokens.get("access_token")
    if not isinstance(access, str) or expiry(access) <= 0:
        return None
    claims = _claims(access).get("https://api.openai.com/auth")
    account = tokens.get("account_id") or (claims.get("chatgpt_account_id") if isinstance(claims, dict) else None)
    return (access, account) if isinstance(account, str) and account.isprintable() and account.isascii() else None


def expiry(token: str) -> float:
    """Return when a JSON Web Token expires, as Unix time; 0 for what is none or does not say."""
    found = _claims(token).get("exp")
    return float(found) if isinstance(found, int | float) and token.isascii() and token.isprintable() else 0.0


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


@contextlib.contextmanager
def _held(source: Path) -> Iterator[None]:
    """Hold the lock under which the login is lent or renewed. Raises OSError where another process keeps it."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while (descriptor := try_lock(source.with_name(source.name + ".moonmind-lock"))) is None:
        if time.monotonic() > deadline:
            raise OSError("another job holds the login")
        time.sleep(0.05)
    try:
        yield
    finally:
        os.close(descriptor)
