"""Which users of a machine a server without a token answers: real sockets of real users."""

import os
import socket
from collections.abc import Iterator

import pytest

from tests.support.peers import DAEMON, NOBODY, Answering, answering

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as other users")

WAYS = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "narrow 127.0.0.1", "narrow ::ffff:127.0.0.1"]
"""Addresses of a client, to a server on both kinds of address or (narrow) on IPv4 alone."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Answering]]:
    folder = tmp_path_factory.mktemp("servers")
    folder.chmod(0o755)
    with answering(0, folder) as of_root, answering(DAEMON, folder) as of_daemon:
        yield {0: of_root, DAEMON: of_daemon}


def place(server: Answering, way: str) -> tuple[str, int]:
    narrow, _, address = way.rpartition(" ")
    return address, server.narrow if narrow else server.wide


@needs_root
@pytest.mark.parametrize("way", WAYS)
def test_only_the_servers_own_user_and_root_are_answered_without_a_token(
    servers: dict[int, Answering], way: str
) -> None:
    for server_user, asking, status in [
        (0, 0, 200),
        (0, DAEMON, 403),
        (0, NOBODY, 403),
        (DAEMON, DAEMON, 200),
        (DAEMON, 0, 200),
        (DAEMON, NOBODY, 403),
    ]:
        server = servers[server_user]
        address, port = place(server, way)
        found = server.ask(asking, address, port, times=2)
        assert found == [status, status], (server_user, asking)


@needs_root
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("asking", [NOBODY, 0])
def test_a_socket_that_was_closed_at_once_is_refused(servers: dict[int, Answering], way: str, asking: int) -> None:
    address, port = place(servers[0], way)
    assert servers[0].ask_and_close(asking, address, port) == [403]


@needs_root
@pytest.mark.parametrize("header", ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 127.0.0.1:{port}", "Via: 1.1 box"])
def test_a_header_that_rewrites_the_peer_lets_nobody_in(servers: dict[int, Answering], header: str) -> None:
    server = servers[0]
    with socket.create_connection(("127.0.0.1", server.narrow)) as own:  # an open socket of the server's own user
        said = header.format(port=own.getsockname()[1]) + "\r\n"
        assert server.ask(NOBODY, "127.0.0.1", server.narrow, header=said) == [403]
        assert server.ask(0, "127.0.0.1", server.narrow, header=said) == [403]
