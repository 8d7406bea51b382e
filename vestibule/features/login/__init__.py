#!/usr/bin/env python3
"""Logging in and out."""
