#!/usr/bin/env python3
"""Well-known addresses: where browsers and researchers look by themselves."""
