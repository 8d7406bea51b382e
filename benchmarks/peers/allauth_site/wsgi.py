#!/usr/bin/env python3
"""The WSGI application of the peer on django-allauth."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
