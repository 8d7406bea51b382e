#!/usr/bin/env python3
"""Processes that the benchmarks start: their ports, CPU, memory and end."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence

LOOPBACK = "127.0.0.1"
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60.0
STOP_SECONDS = 10.0
# Of a line of /proc/<pid>/stat, after the name: the parent, and the CPU time
# of the process and of its ended children, in user and in system mode.
PARENT, CPU_TIMES = 1, (11, 12, 13, 14)
DRIVER_NICE = -10

Process = subprocess.Popen  # of bytes; Python 3.7 takes no [bytes] here


class DidNotStart(Exception):
    """A program ended or was silent when it should have been listening."""


class Command(NamedTuple):
    """What to run, with which environment, where, and who hears it."""

    words: Sequence[str]
    environ: Mapping[str, str]
    folder: Path
    log: Path


def free_port() -> int:
    """Return a port of the loopback address on which nobody listens."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def start(command: Command) -> "Process[bytes]":
    """Start a program in a process group of its own."""
    with command.log.open("ab") as log:
        return subprocess.Popen(
            list(command.words), env=dict(command.environ),
            cwd=str(command.folder), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True)


def wait_for_port(process: "Process[bytes]", port: int) -> None:
    """Wait until the program listens; raises ``DidNotStart``."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection((LOOPBACK, port), 1).close()
            return
        if process.poll() is not None:
            raise DidNotStart(f"it ended with status {process.returncode}")
        time.sleep(0.05)
    raise DidNotStart(f"it does not listen after {START_SECONDS:.0f} s")


def stop(process: "Process[bytes]", patience: float = STOP_SECONDS) -> None:
    """Ask a program that we started to end, then end its whole group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_SECONDS)


def family(root: int) -> List[int]:
    """Return a process and all its living descendants."""
    children: Dict[int, List[int]] = {}
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            children.setdefault(int(_stat(pid)[PARENT]), []).append(pid)
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, ()))
    return found


def cpu_seconds(*roots: int) -> float:
    """Return the CPU time so far of processes and all their descendants."""
    ticks = 0
    for root in roots:
        for pid in family(root):
            with contextlib.suppress(OSError):
                stat = _stat(pid)
                ticks += sum(int(stat[place]) for place in CPU_TIMES)
    return ticks / TICKS_A_SECOND


def memory_mib(root: int) -> float:
    """Return the memory of a process and all its descendants, in MiB.

    It is the proportional set size: a page that several processes share
    counts once among them.
    """
    kibibytes = 0
    for pid in family(root):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kibibytes += sum(int(line.split()[1]) for line in lines
                             if line.startswith("Pss:"))
    return kibibytes / 1024


@contextlib.contextmanager
def favoured() -> Iterator[None]:
    """Run before the services meanwhile, where the system allows it.

    Otherwise the load generator would wait for a core behind the very
    services whose answers it times.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, before + DRIVER_NICE)
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, before)


def _all_pids() -> List[int]:
    """Return the ids of all processes there are."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> List[str]:
    """Return the fields that follow a process's name, which holds blanks."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return text.rpartition(")")[2].split()
