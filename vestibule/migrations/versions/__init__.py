#!/usr/bin/env python3
"""One file for each step of the schema, numbered in order."""
