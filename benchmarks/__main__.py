#!/usr/bin/env python3
"""``python3 -m benchmarks``: measures us and our peers side by side."""

import sys

from benchmarks.command_line import main

if __name__ == "__main__":
    sys.exit(main())
