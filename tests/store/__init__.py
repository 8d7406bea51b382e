#!/usr/bin/env python3
"""Tests of the tables and the SQL."""
