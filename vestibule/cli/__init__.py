#!/usr/bin/env python3
"""The command line: ``main.py`` has the program, the rest its commands."""
