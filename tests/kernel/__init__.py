#!/usr/bin/env python3
"""Tests of the rules that features stand on."""
