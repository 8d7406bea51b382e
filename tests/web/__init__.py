#!/usr/bin/env python3
"""Tests of what all views share."""
