"""A supervisor's order, read once from standard input: it reads no settings and asks for nothing else."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

PROXY_URL = "{proxy_url}"
"""In argv: replaced by the key proxy's address, which only the supervisor knows."""
PROXY_TOKEN = "{proxy_token}"  # noqa: S105 - a placeholder
"""In the environment's values: replaced by what the key proxy asks of its one client."""


@dataclass(frozen=True, slots=True)
class KeyProxy:
    """A credential that the agent may use and must not see: a loopback proxy adds it to each request."""

    upstream: str
    """The service's base URL."""
    key: str = field(repr=False)
    login: str = ""
    """The file of a stored ChatGPT login that is used in place of a key, and renewed."""
    refresh_url: str = ""
    """Where it is renewed; empty: at its issuer's."""
    calls_before: int = 0
    """Model calls that the run has made before this job."""
    calls_base: int = 0
    """How many it had made when its present allowance began."""
    calls_most: int | None = None
    """The count at which no more are passed on; None: there is no limit."""


@dataclass(frozen=True, slots=True)
class Egress:
    """The way out of a build: an HTTP proxy in the supervisor, in place of the model, that reaches these hosts only."""

    hosts: tuple[str, ...]
    """`host`, meant for ports 80 and 443, or `host:port`; `*.example.org` stands for all hosts below it."""
    local: tuple[str, ...] = ()
    """Those of `hosts` that may have addresses of private networks or of this machine."""
    upstream: str = field(default="", repr=False)
    """The network's own proxy, by which they are reached: `http://[user:password@]host:port`; empty: directly."""
    direct: tuple[str, ...] = ()
    """Hosts that are reached without it, as in NO_PROXY."""


LEAST_FREE = 512 << 20
"""Bytes that jobs leave on the disk: databases, runs and whatever else is on it need some."""


@dataclass(frozen=True, slots=True)
class Space:
    """How much of the disk a job may take."""

    folders: tuple[str, ...]
    """Where it writes."""
    most_bytes: int
    """Of all files there together, without those that were there before."""
    least_free: int
    """Bytes that have to be left on the disk."""
    remedy: str = ""
    """What to do where the first limit is too small."""
    count_seconds: float = 2.0
    """How long it is between one count of these files and the next, at least."""
    before: int = 0
    """Bytes that were there before it starts."""


@dataclass(frozen=True, slots=True)
class Loan:
    """A login that the agent may refresh: copied in before, given back after if changed, one borrower at a time."""

    source: str
    copy: str


@dataclass(frozen=True, slots=True)
class Order:
    """Everything about one job. Paths are absolute."""

    folder: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    cwd: str
    stdin: str = field(repr=False)
    log_path: str
    stall_seconds: float
    total_seconds: float
    output_bytes: int
    secrets: tuple[str, ...] = field(default=(), repr=False)
    proxy: KeyProxy | None = None
    loan: Loan | None = None
    usage_before: Mapping[str, int] = field(default_factory=dict)
    """Tokens that earlier jobs counted already, of a conversation that counts from its beginning."""
    kinds: tuple[str, ...] = ()
    """Kinds of containment to try, in this order (containment.py); none named: all, the best one first."""
    stop_seconds: float = 5.0
    """How long the agent may take to end after SIGINT."""
    egress: Egress | None = None
    """Only for a walled command without a key proxy: it finds the way out where agents find the model."""
    space: Space | None = None
    """Without it, nothing is watched."""
    most_processes: int | None = None
    """How many it may have at a time, also where the kernel does not hold it to that; None: that is not looked at."""
    plain: bool = False
    """What the command prints is text and not an agent's JSON Lines: it is logged as it is, and ends well with exit code 0."""
    walled: bool = False
    """The command is behind a sandbox's wall, and reached by the link in the job's folder (link.py)."""

    def as_bytes(self) -> bytes:
        """Return the document that travels on the pipe."""
        return json.dumps({"v": 1, **asdict(self)}).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Order":
        """Read the document; starter and supervisor are of one installation, so there is one version. Raises ValueError."""
        try:
            body = json.loads(content)
            if body.pop("v") != 1:
                raise ValueError("another version of the order")
            proxy, loan, egress, space = (body.pop(name) for name in ("proxy", "loan", "egress", "space"))
            order = cls(
                **body,
                proxy=KeyProxy(**proxy) if proxy else None,
                loan=Loan(**loan) if loan else None,
                egress=Egress(**egress) if egress else None,
                space=Space(**space) if space else None,
            )
        except (KeyError, TypeError, AttributeError) as error:
            # Not chained: the message of the cause could quote a value, and values are secrets.
            raise ValueError(f"not an order ({type(error).__name__})") from None
        if not all(Path(path).is_absolute() for path in (order.folder, order.cwd, order.log_path)):
            raise ValueError("the order has relative paths")
        if order.egress is not None and (order.proxy is not None or not order.walled):
            raise ValueError("the order has a way out without a wall, or beside the way to the model")
        return order
