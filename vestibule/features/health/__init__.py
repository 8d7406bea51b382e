#!/usr/bin/env python3
"""Whether the service lives, and whether it can work."""
