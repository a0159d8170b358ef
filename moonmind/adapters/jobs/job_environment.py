"""The environment an agent gets: an allow-list, so that nothing is handed on by accident."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from moonmind.ports.sandbox import HOME, PATH, TEMPORARY
from moonmind.redact import Redactor

MARK = "MOONMIND_JOB"
"""Carried by an agent and all its commands: leftovers of a killed supervisor are found by it."""

PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "ftp_proxy"})
"""Variables, in any case, that name a network proxy."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?//")
_LANGUAGE = frozenset({"LANG", "LANGUAGE", "TZ"})
_PASSED_ON = frozenset(
    {
        "PATH", "LANG", "LANGUAGE", "TZ", "USER", "LOGNAME", "SHELL",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE",
        "NO_PROXY", "no_proxy",
    }
)  # fmt: skip


def harmless(ambient: Mapping[str, str]) -> dict[str, str]:
    """Pick what any program may see: search path, language, time zone, certificates, network proxies."""
    picked = {
        name: value
        for name, value in ambient.items()
        if name in _PASSED_ON or name.lower() in PROXIES or name.startswith("LC_")
    }
    picked.setdefault("PATH", os.defpath)
    return picked


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Pick the variables that name a network proxy."""
    return {name: value for name, value in environment.items() if name.lower() in PROXIES}


def without_login(proxy: str) -> str:
    """Return a proxy's address without user and password; with or without a scheme, percent-encoded or not.

    What stands before the last `@` goes, whatever signs it holds: programs read addresses differently, and a password
    with a slash or a second `@` in it must not stay half.
    """
    scheme = _SCHEME.match(proxy)
    begins = scheme.end() if scheme else 0
    return proxy[:begins] + proxy[begins:].rpartition("@")[2]


def walled_environment(
    ambient: Mapping[str, str], added: Mapping[str, str], *, mark: str, redactor: Redactor
) -> dict[str, str]:
    """Build the environment of a job behind a wall: nothing of the worker's but language and time zone."""
    language = {name: value for name, value in ambient.items() if name in _LANGUAGE or name.startswith("LC_")}
    environment = language | dict(added)
    environment = {name: value for name, value in environment.items() if not redactor.holds_known(value.encode())}
    return environment | {
        "PATH": PATH,
        "HOME": HOME,
        "TMPDIR": TEMPORARY,
        "GIT_CEILING_DIRECTORIES": "/",
        "GIT_TERMINAL_PROMPT": "0",
        MARK: mark,
    }


def agent_environment(
    ambient: Mapping[str, str],
    added: Mapping[str, str],
    *,
    home: Path,
    temporary: Path,
    workspace: Path,
    mark: str,
    redactor: Redactor,
) -> dict[str, str]:
    """Build a job's environment; a variable that holds a known secret is dropped, wherever it comes from."""
    environment = harmless(ambient) | dict(added)
    environment |= {name: without_login(value) for name, value in proxies(environment).items()}
    environment = {name: value for name, value in environment.items() if not redactor.holds_known(value.encode())}
    return environment | {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        # Git commands of the agent stop here: they never find a repository that surrounds the workspace.
        "GIT_CEILING_DIRECTORIES": str(workspace.parent),
        "GIT_TERMINAL_PROMPT": "0",
        MARK: mark,
    }
