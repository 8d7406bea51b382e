#!/usr/bin/env python3
"""Alembic's migrations: how the schema came to be, step by step."""
