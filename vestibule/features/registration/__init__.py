#!/usr/bin/env python3
"""How somebody becomes a user."""
