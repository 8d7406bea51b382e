#!/usr/bin/env python3
"""Whose request it is."""

from ipaddress import ip_network
from typing import Optional

import pytest

from vestibule.web.client_address import client_address

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"))


@pytest.mark.parametrize("peer, forwarded_for, client", [
    ("203.0.113.7", None, "203.0.113.7"),
    ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
    ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
    ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
    ("10.0.0.1", "garbage", "10.0.0.1"),
    ("10.0.0.1", "1.2.3.4, garbage, 10.0.0.2", "10.0.0.2"),
    ("10.0.0.1", "", "10.0.0.1"),
    ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
    ("127.0.0.1", "," * 100000, "127.0.0.1"),
    ("", "198.51.100.1", None), (None, None, None),
    ("10.0.0.1", "fe80::1%eth0", "10.0.0.1"),
])
def test_only_trusted_proxies_are_believed(
        peer: Optional[str], forwarded_for: Optional[str],
        client: Optional[str]) -> None:
    """R075: read from the right, up to the first that is no proxy."""
    assert client_address(peer, forwarded_for, TRUSTED) == client


def test_nobody_is_believed_by_default() -> None:
    """R075: without a setting the socket's peer is the client."""
    assert client_address("10.0.0.1", "1.2.3.4", ()) == "10.0.0.1"
