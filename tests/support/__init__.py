#!/usr/bin/env python3
"""What the tests stand on: builders, servers, and rules for the source."""
