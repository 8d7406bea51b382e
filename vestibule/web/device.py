#!/usr/bin/env python3
"""What a User-Agent says of the device, in words for people."""

from typing import Any, Dict, Optional

from vestibule.base.deferred import Deferred

# It makes many hundreds of patterns as it is imported.
user_agent_parser = Deferred("ua_parser.user_agent_parser")

UNKNOWN = "Other"
PHONE_SYSTEMS = frozenset(["iOS", "Android", "Windows Phone", "KaiOS"])
COMPUTER_SYSTEMS = frozenset([
    "Windows", "Mac OS X", "Linux", "Ubuntu", "Fedora", "Debian",
    "Chrome OS", "FreeBSD", "OpenBSD"])


def device_of(user_agent: Optional[str]) -> Dict[str, Optional[str]]:
    """Return browser, operating system and kind, each ``None`` if unknown.

    The kind is ``phone``, ``tablet``, ``computer`` or ``program``. It is
    what the client says of itself, and proves nothing.
    """
    if not user_agent:
        return {"browser": None, "os": None, "kind": None}
    parsed: Dict[str, Any] = user_agent_parser.Parse(user_agent)
    browser = parsed["user_agent"]["family"]
    system = parsed["os"]["family"]
    return {"browser": _known(browser), "os": _known(system),
            "kind": _kind(user_agent, parsed["device"]["family"], system)}


def _kind(user_agent: str, device: str, system: str) -> Optional[str]:
    """Return what kind of device it is."""
    if device == "Spider" or "Mozilla" not in user_agent:
        return "program"
    if device.startswith("iPad") or (
            system == "Android" and "Mobile" not in user_agent):
        return "tablet"
    if system in PHONE_SYSTEMS:
        return "phone"
    return "computer" if system in COMPUTER_SYSTEMS else None


def _known(name: str) -> Optional[str]:
    """Return a name, ``None`` for the parser's word for no idea."""
    return None if name == UNKNOWN else name
