#!/usr/bin/env python3
"""Undo: taking back a change that was not one's own."""
