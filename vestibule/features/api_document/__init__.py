#!/usr/bin/env python3
"""The API document."""
