#!/usr/bin/env python3
"""What the figures were measured on, and with which programs."""

import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Optional

ROOT = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024
VERSION = re.compile(r"\d+(\.\d+)+\S*")
# Each with the words that make it print its version.
PROGRAMS = {
    "PostgreSQL": ("postgres", "--version"),
    "Redis": ("redis-server", "--version"),
    "nginx": ("nginx", "-v"),
    "Node": ("node", "--version"),
    "wrk": ("wrk", "--version"),
}


def describe(programs: Dict[str, str]) -> Dict[str, Any]:
    """Return the machine, the date, the project's commit and versions.

    ``programs`` says where a program is that PATH does not lead to.
    """
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "cores": cores(),
        "cpu": cpu_model(Path("/proc/cpuinfo")),
        "ram_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf(
            "SC_PHYS_PAGES") // MIB,
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
        "programs": {
            name: version(programs.get(words[0], words[0]), words[1])
            for name, words in PROGRAMS.items()},
    }


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def cpu_model(cpuinfo: Path) -> str:
    """Return what the processor calls itself, or its architecture."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def version(program: str, word: str) -> Optional[str]:
    """Return the version that a program prints, ``None`` where it is not.
    """
    try:
        done = subprocess.run(
            [program, word], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = VERSION.search(done.stdout.decode("utf-8", "replace"))
    return found.group(0) if found else None


def commit() -> Optional[str]:
    """Return the commit that is measured; a plus means changed files."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], cwd=str(ROOT),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    return done.stdout.decode().strip() or None
