#!/usr/bin/env python3
"""Activity: a person's own security log."""
