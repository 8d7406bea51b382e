#!/usr/bin/env python3
"""The rules that every feature stands on; it knows no HTTP."""
