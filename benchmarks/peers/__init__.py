#!/usr/bin/env python3
"""The services that people build today, each as its makers recommend."""
