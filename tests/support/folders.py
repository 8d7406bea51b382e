#!/usr/bin/env python3
"""Where tests keep their files: in memory, where there is enough of it.

The service makes sure of each commit and each letter, which takes a disk
milliseconds. That is thousands of commits, and no test can tell: what a
loss of power takes away is nothing that a process can observe.
"""

import os
from typing import Optional

MEMORY = "/dev/shm"
NEEDED_BYTES = 512 * 1024 * 1024


def folder_in_memory(place: str = MEMORY) -> Optional[str]:
    """Return the folder in memory, or nothing where it cannot be used.

    Tests run programs that they wrote, which some containers forbid there,
    and some have little memory to give.
    """
    if not os.access(place, os.W_OK | os.X_OK):
        return None
    found = os.statvfs(place)
    if found.f_flag & os.ST_NOEXEC:
        return None
    if found.f_bavail * found.f_frsize < NEEDED_BYTES:
        return None
    return place
