#!/usr/bin/env python3
"""What ``vestibule`` and ``python3 -m vestibule`` run."""

from importlib import import_module

from vestibule.base.interrupts import left_to_the_system


def main() -> None:
    """Load the program, run the command that is named, end the process.

    Loading takes most of a second, in which Ctrl-C has to be obeyed.
    """
    with left_to_the_system():
        program = import_module("vestibule.cli.main")
    program.main()


if __name__ == "__main__":
    main()
