#!/usr/bin/env python3
"""The tests: one folder for each layer, and `flows` for whole journeys."""
