#!/usr/bin/env python3
"""Tests of the values and the vocabulary."""
