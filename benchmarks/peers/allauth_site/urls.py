#!/usr/bin/env python3
"""The paths of the peer on django-allauth: the library's own."""

from django.urls import include, path

urlpatterns = [path("_allauth/", include("allauth.headless.urls"))]
