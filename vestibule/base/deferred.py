#!/usr/bin/env python3
"""Modules that most processes never need, imported when one does."""

from importlib import import_module
from typing import Any


class Deferred:
    """Stands for a module until something of it is asked for.

    It stands on top of a file, as an import does, and keeps the same rules.
    It is worth its detour for what takes a tenth of a start, or is large,
    and is needed seldom. Any number of threads may be the first to ask.
    """

    def __init__(self, name: str) -> None:
        """Take the module's whole name; nothing is imported yet."""
        self._name = name

    def __getattr__(self, name: str) -> Any:
        """Return what the module has under this name.

        Raises ``ModuleNotFoundError`` where there is no such module.
        """
        return getattr(import_module(self._name), name)
