"""One conversation with GitHub's API: PyGithub's client, our bounds, and every failure as one of our errors.

A client lives for one operation. It is not made for several threads, and a connection that was kept for minutes would
fail when it is needed. It never retries by itself: a worker that sleeps is a worker lost to the others.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.github_errors import RENEW, Answer, translate, unreachable
from moonmind.errors import CredentialInvalid, ForgeRefused, MoonMindError, RepositoryUnavailable
from moonmind.runs import naming

if TYPE_CHECKING:
    from github import Github
    from github.Repository import Repository as GitHubRepository

_TOKEN = re.compile(r"[\x21-\x7e]+")
SECONDS = 20
"""For a connection, and between two parts of an answer."""
PROBE_SECONDS = 8
"""For a probe, on which a caller waits."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a token stands for, as GitHub tells it."""

    login: str | None
    """None: an installation's token stands for no user."""
    headers: Mapping[str, str]


class GitHubApi:
    """Opens conversations with one GitHub, with one token."""

    def __init__(self, options: ForgeOptions) -> None:
        self._options = options
        self.api_url = options.api_url.rstrip("/")
        self.server_url = options.server_url.rstrip("/")
        self.certificates = next(
            (
                options.environment[name]
                for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE")
                if options.environment.get(name)
            ),
            None,
        )
        """A file of certificates to trust instead of the usual ones; git takes the same two variables."""

    @property
    def token(self) -> str:
        """Return the token. Raises CredentialInvalid if there is none, or if it holds impossible characters."""
        token = (self._options.token or "").strip()
        if not token:
            message = "no GitHub token: GH_TOKEN is not set"
            raise CredentialInvalid(message, remediation=RENEW, check="github.token")
        if not _TOKEN.fullmatch(token):
            message = "GH_TOKEN contains characters that no token has"
            raise CredentialInvalid(message, remediation=RENEW, check="github.token")
        return token

    @contextlib.contextmanager
    def client(self, asked: str, *, seconds: int = SECONDS) -> Iterator[Github]:
        """Converse for the length of a block; what goes wrong in it becomes ours. `asked` says what it is about."""
        token = self.token
        # Late: commands that only look need none of it.
        from github import Auth, BadAttributeException, Github, GithubException

        client = Github(
            auth=Auth.Token(token),
            base_url=self.api_url,
            timeout=seconds,
            user_agent=f"MoonMind/{version('moonmind')}",
            per_page=100,
            verify=self.certificates or True,
            retry=None,
            seconds_between_requests=0,
        )
        try:
            yield client
        except GithubException as error:
            raise self._ours(error, asked) from None  # its text may quote more than our bounded words
        except OSError as error:  # every error of requests is one, and so is a file of certificates that is not there
            raise unreachable(error, asked, self.api_url, self._options.redactor) from None
        except (
            BadAttributeException,
            AssertionError,
            RuntimeError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
        ) as error:
            # How PyGithub refuses an address of another host, and how it fails on answers that are none of GitHub's.
            raise ForgeRefused(
                f"{self.api_url} does not answer like GitHub's API ({type(error).__name__})",
                remediation="Check GITHUB_API_URL and GITHUB_SERVER_URL, then retry.",
            ) from error
        finally:
            client.close()

    def identity(self, client: Github) -> Identity:
        """Ask whose token it is; an answer at all proves that the token is valid."""
        from github import GithubException

        try:
            headers, body = client.requester.requestJsonAndCheck("GET", "/user")
        except GithubException as error:
            if error.status != 403 or self._pauses(error):
                raise
            # An installation's token is nobody's: it may not ask who it is, and may ask what it is allowed.
            headers, body = client.requester.requestJsonAndCheck("GET", "/rate_limit")
        return Identity(body.get("login"), {str(name).lower(): str(value) for name, value in headers.items()})

    def look_up(self, client: Github, name: str) -> GitHubRepository:
        """Find a repository under its present name; a renamed one is followed. Raises RepositoryUnavailable."""
        if not is_name(name):
            raise RepositoryUnavailable(f"not a repository name: {name[:200]!r}")
        found = client.get_repo(name)
        if not is_name(str(found.raw_data.get("full_name"))):
            raise ForgeRefused(f"{self.api_url} answered for {name} in a form that is not GitHub's")
        return found

    def _pauses(self, error: Any) -> bool:
        return self._ours(error, "").retryable

    def _ours(self, error: Any, asked: str) -> MoonMindError:
        ours = translate(answer_of(error), asked, server=self.server_url)
        ours.message = self._options.redactor.text(ours.message)
        return ours


def answer_of(error: Any) -> Answer:
    """Read the answer that one of PyGithub's errors was made from."""
    return Answer(error.status, error.headers or {}, error.data)


def is_name(name: str) -> bool:
    """Return True if a text can be used in a URL as `owner/name`."""
    try:
        return naming.repository(name) == name
    except MoonMindError:
        return False
