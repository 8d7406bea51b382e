#!/usr/bin/env python3
"""Whose request it is: the socket's peer, or what a trusted proxy says."""

import ipaddress
from typing import Optional, Sequence, Union

from vestibule.base.setting_values import Network

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
LONGEST_CHAIN = 32


def client_address(peer: Optional[str], forwarded_for: Optional[str],
                   trusted: Sequence[Network]) -> Optional[str]:
    """Return the client's address, IPv4-mapped ones as IPv4.

    ``X-Forwarded-For`` is believed only from a trusted peer, and read from
    the right: the first address that is no trusted proxy is the client's.
    What stands further left anybody can write (authentik CVE-2023-36456).
    """
    address = _parsed(peer)
    if address is None:
        return None
    chain = (forwarded_for or "").split(",")[-LONGEST_CHAIN:]
    for text in reversed(chain):
        if not _is_within(address, trusted):
            break
        hop = _parsed(text)
        if hop is None:
            break
        address = hop
    return str(address)


def is_trusted(peer: Optional[str], trusted: Sequence[Network]) -> bool:
    """Say whether the socket's peer is a proxy of the operator's."""
    address = _parsed(peer)
    return address is not None and _is_within(address, trusted)


def _is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Say whether an address belongs to one of these networks."""
    return any(address in network for network in networks)


def _parsed(text: Optional[str]) -> Optional[Address]:
    """Return an address, ``None`` for what is none."""
    # A scope after a percent sign is this machine's own word for a network.
    if text is None or "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
