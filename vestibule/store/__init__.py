#!/usr/bin/env python3
"""Tables, and the only SQL of the house."""
