#!/usr/bin/env python3
"""Runs commands: in this process for speed, or as a process of their own."""

import inspect
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, NamedTuple, Union

from click.testing import CliRunner

from vestibule.cli.main import program

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 15
# Gives a command a terminal of its own, and hands on its status.
IN_TERMINAL = """
import os, pty, sys
status = pty.spawn(sys.argv[1:])
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 99)
"""


class Ran(NamedTuple):
    """What came of a command."""

    status: int
    out: str
    err: str


def run(environ: Dict[str, str], *arguments: str,
        given: Union[str, bytes] = "") -> Ran:
    """Run a command in this process; what it lets escape is raised."""
    options: Dict[str, Any] = {}
    if "mix_stderr" in inspect.signature(CliRunner).parameters:
        options["mix_stderr"] = False
    env: Dict[str, Any] = {name: None for name in os.environ
                           if name.startswith("VESTIBULE_")}
    env.update(environ)
    result = CliRunner(**options).invoke(
        program, arguments, input=given, env=env, catch_exceptions=False,
        prog_name="vestibule")
    return Ran(result.exit_code, result.stdout, result.stderr)


def spawn(environ: Dict[str, str], *arguments: str,
          **options: Any) -> "subprocess.Popen[str]":
    """Start a command as a process with this environment and no other."""
    return _start([sys.executable, "-m", "vestibule", *arguments], environ,
                  **options)


def execute(environ: Dict[str, str], *arguments: str,
            given: str = "") -> Ran:
    """Run a command as a process and wait for its end."""
    process = spawn(environ, *arguments)
    try:
        out, err = process.communicate(given, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Ran(process.returncode, out, err)


class Terminal:
    """A command at a terminal: what it shows, and what is typed."""

    def __init__(self, environ: Dict[str, str], *arguments: str) -> None:
        """Start the command."""
        self._process = _start(
            [sys.executable, "-c", IN_TERMINAL, sys.executable, "-m",
             "vestibule", *arguments], environ)
        self.shown = ""

    def answer(self, question: str, typed: str) -> None:
        """Wait for a question and type what answers it."""
        self._read_until(question)
        assert self._process.stdin is not None
        self._process.stdin.write(typed)
        self._process.stdin.flush()

    def end(self) -> int:
        """Wait for the end of the command and return its status."""
        try:
            out, _ = self._process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        self.shown += out
        return self._process.returncode

    def _read_until(self, text: str) -> None:
        """Read until the text was shown, since the last answer."""
        assert self._process.stdout is not None
        source = self._process.stdout.fileno()
        fresh = ""
        until = time.monotonic() + SECONDS
        while text not in fresh:
            ready, _, _ = select.select([source], [], [], 0.2)
            piece = os.read(source, 4096).decode() if ready else ""
            fresh += piece
            self.shown += piece
            if time.monotonic() > until or (ready and not piece):
                self._process.kill()
                raise AssertionError(f"{text!r} was not shown: {self.shown}")


def _start(command: Any, environ: Dict[str, str],
           **options: Any) -> "subprocess.Popen[str]":
    """Start a process, all its streams piped."""
    return subprocess.Popen(
        command, env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **environ},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, universal_newlines=True, **options)
