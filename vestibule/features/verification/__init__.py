#!/usr/bin/env python3
"""Verification: proving addresses, and changing to others."""
