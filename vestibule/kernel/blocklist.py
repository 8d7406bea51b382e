#!/usr/bin/env python3
"""The bundled passwords that many people use, and attackers try first.

The file holds no passwords but the first five bytes of the SHA-256 of each,
sorted, so that it is small, is searched as it lies in memory, and shocks
nobody. ``tools/write_blocklist.py`` writes it. Of a million good passwords
fewer than one is taken for a listed one (2^40 against 360,000).
"""

import hashlib
import unicodedata
from pathlib import Path
from typing import Optional

FILE = Path(__file__).parents[1] / "blocklist.bin"
WIDTH = 5


class Blocklist:
    """Says whether a password is listed; reads its file when first asked."""

    def __init__(self, file: Path = FILE) -> None:
        """Use this file of digests, which is not opened as yet."""
        self._file = file
        self._loaded: Optional[bytes] = None

    def holds(self, text: str) -> bool:
        """Say whether the whole text is listed, in any case of letters.

        The entries are looked through by bisection, where they lie: as
        objects of Python they would take twenty times the memory.
        """
        wanted, entries = entry_of(text), self._entries()
        low, high = 0, len(entries) // WIDTH
        while low < high:
            middle = (low + high) // 2
            if entries[middle * WIDTH:(middle + 1) * WIDTH] < wanted:
                low = middle + 1
            else:
                high = middle
        return entries.startswith(wanted, low * WIDTH)

    def _entries(self) -> bytes:
        """Return all entries; two threads may both read them, once."""
        if self._loaded is None:
            self._loaded = self._file.read_bytes()
        return self._loaded


def folded(text: str) -> str:
    """Return the text without regard to case, in NFC."""
    normal = unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", normal.casefold())


def entry_of(text: str) -> bytes:
    """Return what stands in the file for a text."""
    return hashlib.sha256(folded(text).encode("utf-8")).digest()[:WIDTH]
