#!/usr/bin/env python3
"""Leaving: a deletion that is announced, and the way back until then."""
