#!/usr/bin/env python3
"""Handing people everything that is held about them."""
