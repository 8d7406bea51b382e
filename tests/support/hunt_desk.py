#!/usr/bin/env python3
"""The command ``vestibule``, ready to run: a line of input is a run of it.

Each has a process of its own, as it has in life, but the imports are made
already. So a hunt can kill it in the middle of what it does, and soon have
another one. It prints its process's id before it reads its line.
"""

import os
import sys

from vestibule.cli.main import program

DONE = "done"
NO_MORE = 3
LONGEST = 1000


def main() -> None:
    """Have one command after the other ready, until there are no lines."""
    while True:
        pid = os.fork()
        if not pid:
            _be_command()
        if os.waitpid(pid, 0)[1] >> 8 == NO_MORE:
            return


def _be_command() -> None:
    """Wait for the arguments, run the command with them, and end."""
    print(os.getpid(), flush=True)
    arguments = os.read(sys.stdin.fileno(), LONGEST).decode()
    if not arguments:
        os._exit(NO_MORE)
    try:
        program.main(arguments.split(), "vestibule", standalone_mode=False)
        print(DONE, flush=True)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
