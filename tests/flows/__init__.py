#!/usr/bin/env python3
"""Whole journeys through the service, as people make them."""
