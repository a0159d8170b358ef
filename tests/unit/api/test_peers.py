"""Whose socket a peer's is: real sockets of this user."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from api_service import peers
from api_service.peers import Endpoint, ask_kernel, may_pass, read_tables, socket_owner
from tests.support.peers import NOBODY, connected


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listening:
        yield listening


def ends(server: socket.socket) -> tuple[Endpoint, Endpoint]:
    peer, own = Endpoint.of(server.getpeername()[:2]), Endpoint.of(server.getsockname()[:2])
    assert peer is not None
    assert own is not None
    return peer, own


def asked(look: Callable[[Endpoint, Endpoint], int | None], *pair: Endpoint) -> int | None:
    try:
        return look(*pair)
    except FileNotFoundError:  # what the kernel says of a socket that there is not
        return None


@pytest.mark.parametrize("look", [ask_kernel, read_tables])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_the_kernel_names_the_owner_until_the_socket_is_closed(
    listener: socket.socket, look: Callable[[Endpoint, Endpoint], int | None], address: str
) -> None:
    client, server = connected(address, listener)
    with server:
        pair = ends(server)
        assert look(*pair) == os.geteuid()
        client.shutdown(socket.SHUT_WR)
        assert look(*pair) == os.geteuid()  # it only says nothing more; who holds it can read the answer
        client.close()
        assert asked(look, *pair) is None


@pytest.mark.parametrize("look", [ask_kernel, read_tables])
def test_a_listening_socket_on_the_peers_port_is_not_its_owner(
    listener: socket.socket, look: Callable[[Endpoint, Endpoint], int | None]
) -> None:
    client, server = connected("127.0.0.1", listener)
    pair = ends(server)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # no TIME_WAIT on either side
    client.close()
    server.close()
    with socket.create_server(("127.0.0.1", pair[0].port)):
        assert asked(look, *pair) is None


@pytest.mark.parametrize("failure", [PermissionError(1, "filtered"), FileNotFoundError(2, "no module"), TimeoutError()])
def test_the_tables_are_read_where_the_kernel_does_not_answer(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, failure: OSError
) -> None:
    def refuse(*_: Any) -> int:
        raise failure

    monkeypatch.setattr(peers, "ask_kernel", refuse)
    client, server = connected("::ffff:127.0.0.1", listener)
    with client, server:
        scope = {"client": server.getpeername()[:2], "server": server.getsockname()[:2]}
        assert anyio.run(socket_owner, scope) == os.geteuid()


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "sl local rem\n",
        "sl local rem\n0: 0100007F:C350 0100007F:1F40 01\n",
        "sl local rem\n0: 0100007F:C350 0100007F:1F40 01 0:0 0:0 0 root 0 99\n",
        "sl local rem\n0: 0100007F:C350 0100007F:1F40 01 0:0 0:0 0 0 0 0\n",
        "sl local rem\n0: 0100007F:C350 0100007F:1F40 0A 0:0 0:0 0 0 0 99\n",
    ],
    ids=["absent", "empty", "no socket", "cut off", "no number", "closed", "listening"],
)
def test_a_table_that_does_not_tell_names_no_owner(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tcp").write_text(content)
    peer, server = Endpoint.of(("127.0.0.1", 50000)), Endpoint.of(("127.0.0.1", 8000))
    assert peer is not None
    assert server is not None
    assert read_tables(peer, server, tmp_path) is None


@pytest.mark.parametrize(
    "scope",
    [
        {"client": None, "server": ("127.0.0.1", 8000)},
        {"client": ("127.0.0.1", 50000), "server": None},
        {"client": ("127.0.0.1", 50000), "server": ("/run/moonmind.sock", None)},
        {"client": ("127.0.0.1", 0), "server": ("127.0.0.1", 8000)},
        {"client": ("127.0.0.1", 50000), "server": ("::1", 8000)},
        {"client": ("localhost", 50000), "server": ("localhost", 8000)},
        {},
    ],
    ids=["no peer", "no server", "a Unix socket", "a rewritten peer", "two kinds", "names", "nothing"],
)
def test_what_is_no_connection_of_this_machine_has_no_owner(scope: dict[str, Any]) -> None:
    assert anyio.run(socket_owner, scope) is None


def test_nobody_of_a_container_is_not_nobody_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where user ids are mapped, the id of `nobody` stands for every user outside."""
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    monkeypatch.setattr(peers, "_maps_every_user", lambda: True)
    assert may_pass(NOBODY)
    monkeypatch.setattr(peers, "_maps_every_user", lambda: False)
    assert not may_pass(NOBODY)
    assert may_pass(0)
