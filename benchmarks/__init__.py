#!/usr/bin/env python3
"""What we claim about speed and size, for anybody to measure again."""
