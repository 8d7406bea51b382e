#!/usr/bin/env python3
"""What Flask views share; it knows no feature."""
