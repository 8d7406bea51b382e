#!/usr/bin/env python3
"""Django's bcrypt, instead of the PBKDF2 that it has by default."""

from django.contrib.auth.hashers import BCryptSHA256PasswordHasher

from benchmarks.peers import told


class Hasher(BCryptSHA256PasswordHasher):
    """Hashes with bcrypt at the agreed cost."""

    rounds = told.COST
