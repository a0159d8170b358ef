"""Who may ask. Fails closed: with a token, only who has it; without one, only our own user and root on this machine."""

import hmac
import re
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api_service import error_responses
from api_service.peers import Endpoint, OwnerOf, may_pass
from moonmind.errors import Forbidden, MoonMindError, Unauthorized
from moonmind.os_user import name_of
from moonmind.settings import Settings

log = structlog.get_logger(__name__)

ACTOR = "moonmind.actor"
"""Where a request's scope names who asks."""
SETTINGS_TOKEN = "api-token"
"""Who asks with MOONMIND_API_TOKEN, which has no name of its own."""
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
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Refuses requests before any route, so that a new route cannot be forgotten."""

    def __init__(self, app: ASGIApp, owner_of: OwnerOf) -> None:
        self._app = app
        self._owner_of = owner_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it with the refusal."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        settings: Settings = scope["app"].state.container.settings
        refusal = refuse(settings, scope)
        if refusal is None and settings.api_token is None:
            refusal = await self._by_socket(scope)
        elif refusal is None and scope["path"] not in OPEN_PATHS:
            scope[ACTOR] = SETTINGS_TOKEN
        if refusal is None:
            await self._app(scope, receive, send)
            return
        log.warning("request.refused", code=refusal.code, message=refusal.message)
        await error_responses.respond(refusal, scope.get("moonmind.request_id"))(scope, receive, send)

    async def _by_socket(self, scope: Scope) -> MoonMindError | None:
        """Refuse other users of this machine, and name the one who asks.

        The kernel is asked for each request: a connection may be handed on, or closed.
        """
        owner = await self._owner_of(scope)
        if owner is None:
            return Forbidden(
                "without an API token, only the server's own user may connect, and the owner of this connection is not known"
            )
        if not may_pass(owner):
            return Forbidden(
                f"without an API token, only the server's own user may connect; this connection belongs to user ID {owner}"
            )
        scope[ACTOR] = name_of(owner)
        return None


def refuse(settings: Settings, scope: Scope) -> MoonMindError | None:
    """Return why a request may not pass, as far as the request itself tells, or None."""
    headers = Headers(scope=scope)
    if settings.api_token is not None:
        if scope["path"] in OPEN_PATHS:
            return None
        return _by_token(settings.api_token.get_secret_value(), headers) or (
            _by_host(settings, headers) if settings.allowed_hosts else None
        )
    return _by_peer(scope, headers) or _by_host(settings, headers) or _by_origin(scope["method"], headers)


def _by_token(token: str, headers: Headers) -> MoonMindError | None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        return Unauthorized("an API token is required")
    if not hmac.compare_digest(given.strip().encode(), token.encode()):
        return Unauthorized("the API token is not valid")
    return None


def _by_peer(scope: Scope, headers: Headers) -> MoonMindError | None:
    if any(_FORWARDED.fullmatch(name.replace("_", "-")) for name in headers):
        # Behind a proxy every peer looks local, and servers may rewrite the peer from these very headers.
        return Forbidden("requests through a proxy need an API token")
    peer = Endpoint.of(scope.get("client"))
    if peer is None or not peer.address.is_loopback:
        named = (scope.get("client") or ("",))[0] or "an unknown peer"
        return Forbidden(f"without an API token, only connections from this machine are accepted, not from {named}")
    return None


def _by_host(settings: Settings, headers: Headers) -> MoonMindError | None:
    """Refuse other names for this server: a page elsewhere can make its own name point here (DNS rebinding)."""
    hosts = headers.getlist("host")
    allowed = LOCAL_HOSTS | {host.lower() for host in settings.allowed_hosts}
    if len(hosts) != 1 or _host_name(hosts[0]) not in allowed:
        return Forbidden(
            f"this server does not answer to the host name {', '.join(hosts)[:200]!r}",
            remediation="Use localhost, or add the name to MOONMIND_ALLOWED_HOSTS.",
        )
    return None


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


def _by_origin(method: str, headers: Headers) -> MoonMindError | None:
    """Refuse changes that a page from elsewhere asks a browser on this machine for."""
    if method in _SAFE:
        return None
    site = headers.get("sec-fetch-site", "none")
    origin = headers.get("origin")
    same = origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    if site not in {"same-origin", "none"} or not same:
        return Forbidden(f"cross-site requests may not change anything (from {(origin or site)[:200]!r})")
    return None
