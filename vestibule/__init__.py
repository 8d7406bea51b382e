#!/usr/bin/env python3
"""Vestibule: a self-hosted user authentication service.

Reading order for newcomers: ``app.py`` puts the whole service together on
one page; ``kernel/auth.py`` is the public Python API; then one feature from
its route down, ``features/login/routes.py`` for instance, to ``store``.
"""

__version__ = "0.1.0"
