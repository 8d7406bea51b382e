#!/usr/bin/env python3
"""Tests of the features, as a client sees them."""
