#!/usr/bin/env python3
"""Django's settings for the peer on django-allauth.

``PEER_SESSION_ENGINE`` picks where sessions are: ``db``, or ``cached_db``
with the Redis server that ``PEER_REDIS`` names.
"""

import os
from typing import Dict
from urllib.parse import urlsplit

from benchmarks.peers import told

HERE = "benchmarks.peers.allauth_site"
CACHED = "cached_db"
_database = urlsplit(told.DATABASE)
_engine = os.environ.get("PEER_SESSION_ENGINE", "db")

DEBUG = False
SECRET_KEY = told.SECRET
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = f"{HERE}.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages",
    "allauth", "allauth.account", "allauth.headless"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware"]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request"]}}]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend"]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": _database.hostname, "PORT": _database.port,
    "USER": _database.username, "NAME": _database.path.lstrip("/"),
    "CONN_MAX_AGE": None}}
SESSION_ENGINE = f"django.contrib.sessions.backends.{_engine}"
CACHES = {"default": {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": os.environ["PEER_REDIS"]}} if _engine == CACHED else {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"
                    }}
PASSWORD_HASHERS = [f"{HERE}.hasher.Hasher"]
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
HEADLESS_ONLY = True
HEADLESS_FRONTEND_URLS: Dict[str, str] = {}
