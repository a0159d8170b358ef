"""Who may ask, and who it is. Fails closed.

Who sends a token is judged by that alone. Without one, only our own user and root on this machine may ask, and nobody where
MOONMIND_API_TOKEN is set or the server was started for other machines.
"""

import re
from functools import partial
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api_service import error_responses
from api_service.bearers import Bearers
from api_service.peers import Endpoint, OwnerOf, may_pass
from moonmind.errors import Forbidden, MoonMindError, ReadOnlyToken
from moonmind.os_user import name_of
from moonmind.runtime.container import Container
from moonmind.settings import Settings

log = structlog.get_logger(__name__)

ACTOR = "moonmind.actor"
"""Where a request's scope names who asks."""
STILL_ADMITTED = "moonmind.still_admitted"
"""Where the scope of a request with a token holds a function for what goes on for long: is the token still good?"""
OPEN_PATHS = frozenset({"/healthz"})
"""Shows no more than that the process lives, so a probe needs no token."""
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDED = re.compile(
    r"""
    forwarded | via | cdn-loop | front-end-https | x-forwarded | x-real-ip | x-client-ip | client-ip | true-client-ip
    | fastly-client-ip | ali-cdn-real-ip | x-cluster-client-ip | x-remote-(ip|addr|user) | x-proxyuser-ip | x-scheme | x-url-scheme
    | (x-forwarded | x-original | x-envoy | x-azure | x-arr | x-amzn | x-amz-cf | x-appengine | x-vercel | x-nf | x-proxy
       | proxy | (x-|wl-)?proxy-client | cf | fly | tailscale | x-akamai | x-sucuri | incap | x-ms-proxy )-.+
    """,
    re.VERBOSE,
)
"""Names of headers that proxies add and clients do not; whole families where proxies use many of one kind."""
_READS = frozenset({"GET", "HEAD"})
_SAFE = _READS | {"OPTIONS"}


class Guard:
    """Refuses requests before any route, so that a new route cannot be forgotten, and names who asks."""

    def __init__(self, app: ASGIApp, owner_of: OwnerOf, *, token_required: bool) -> None:
        self._app = app
        self._owner_of = owner_of
        self._token_required = token_required
        self._bearers = Bearers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it with the refusal."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            await self._admit(scope, scope["app"].state.container)
        except MoonMindError as refusal:
            log.warning("request.refused", code=refusal.code, message=refusal.message)
            await error_responses.respond(refusal, scope.get("moonmind.request_id"))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, container: Container) -> None:
        """Name who asks in the scope, or raise why the request may not pass."""
        settings, headers = container.settings, Headers(scope=scope)
        token_required = self._token_required or settings.api_token is not None
        given = headers.getlist("authorization")
        if scope["path"] in OPEN_PATHS and (token_required or given):
            return
        if not given and not token_required:
            _check_peer(scope, headers)
            _check_host(settings, headers)
            _check_origin(scope["method"], headers)
            scope[ACTOR] = name_of(await self._owner(scope))
            return
        # Whoever sends a token is judged by it alone: a wrong one does not become right by where it comes from.
        bearer = await self._bearers.admit(container, given)
        if settings.allowed_hosts:
            _check_host(settings, headers)
        if bearer.read_only and scope["method"] not in _READS:
            raise ReadOnlyToken(f"the API token {bearer.name} may only read (GET, HEAD), not {scope['method'][:20]}")
        scope[ACTOR] = bearer.name
        scope[STILL_ADMITTED] = partial(self._bearers.still_admit, container, given)

    async def _owner(self, scope: Scope) -> int:
        """Return the user id of the peer, and refuse other users of this machine.

        The kernel is asked for each request: a connection may be handed on, or closed.
        """
        owner = await self._owner_of(scope)
        if owner is None:
            raise Forbidden(
                "without an API token, only the server's own user may connect, and the owner of this connection is not known"
            )
        if not may_pass(owner):
            raise Forbidden(
                f"without an API token, only the server's own user may connect; this connection belongs to user ID {owner}"
            )
        return owner


def _check_peer(scope: Scope, headers: Headers) -> None:
    if any(_FORWARDED.fullmatch(name.replace("_", "-")) for name in headers):
        # Behind a proxy every peer looks local, and servers may rewrite the peer from these very headers.
        raise Forbidden("requests through a proxy need an API token")
    peer = Endpoint.of(scope.get("client"))
    if peer is None or not peer.address.is_loopback:
        named = (scope.get("client") or ("",))[0] or "an unknown peer"
        raise Forbidden(f"without an API token, only connections from this machine are accepted, not from {named}")


def _check_host(settings: Settings, headers: Headers) -> None:
    """Refuse other names for this server: a page elsewhere can make its own name point here (DNS rebinding)."""
    hosts = headers.getlist("host")
    allowed = LOCAL_HOSTS | {host.lower() for host in settings.allowed_hosts}
    if len(hosts) != 1 or _host_name(hosts[0]) not in allowed:
        raise Forbidden(
            f"this server does not answer to the host name {', '.join(hosts)[:200]!r}",
            remediation="Use localhost, or add the name to MOONMIND_ALLOWED_HOSTS.",
        )


def _host_name(host: str) -> str | None:
    """Return a Host header's name without its port, or None where it is not one."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return None
    if parts.netloc != host or parts.username is not None:
        return None
    return parts.hostname


def _check_origin(method: str, headers: Headers) -> None:
    """Refuse changes that a page from elsewhere asks a browser on this machine for."""
    if method in _SAFE:
        return
    site = headers.get("sec-fetch-site", "none")
    origin = headers.get("origin")
    same = origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    if site not in {"same-origin", "none"} or not same:
        raise Forbidden(f"cross-site requests may not change anything (from {(origin or site)[:200]!r})")
