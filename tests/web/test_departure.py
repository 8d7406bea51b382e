#!/usr/bin/env python3
"""Whether a client has left, where only the server's socket can tell."""

import socket
import ssl
from typing import Iterator, Tuple

import pytest

from vestibule.web.departure import CONNECTION, departure_of


@pytest.fixture(name="pair")
def fixture_pair() -> Iterator[Tuple[socket.socket, socket.socket]]:
    """Return the server's end of a connection, and the client's."""
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_a_closed_connection_is_seen(
        pair: Tuple[socket.socket, socket.socket]) -> None:
    """R125: and what it has sent is not read."""
    server, client = pair
    has_left = departure_of({CONNECTION: server})
    assert not has_left()
    client.sendall(b"more")
    assert not has_left()
    assert server.recv(9) == b"more"
    client.close()
    assert has_left()


def test_a_connection_with_tls_is_not_looked_at(
        pair: Tuple[socket.socket, socket.socket]) -> None:
    """R125: whoever lets the server do TLS can log in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with context.wrap_socket(
            pair[0], do_handshake_on_connect=False) as server:
        assert not departure_of({CONNECTION: server})()
