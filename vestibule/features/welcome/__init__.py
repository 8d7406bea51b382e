#!/usr/bin/env python3
"""The root of the service: a greeting."""
