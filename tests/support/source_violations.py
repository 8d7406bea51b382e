#!/usr/bin/env python3
"""Deliberate violations of the rules on imports, places and SQL.

Beside them stand a few innocent files, at which a rule must not point.
"""
from typing import NamedTuple, Tuple

from tests.support.source_imports import (
    imports_form_no_cycle, imports_point_downwards, imports_stand_on_top,
    libraries_stay_in_their_rooms, optional_libraries_have_one_adapter
)
from tests.support.source_places import (
    every_way_in_ends_in_finish, only_the_clock_reads_the_time,
    only_the_settings_read_the_environment,
    secrets_are_compared_in_constant_time
)
from tests.support.source_sql import (
    only_compat_knows_the_version, sql_keeps_to_old_databases,
    sqlalchemy_keeps_to_the_intersection
)
from tests.support.source_tree import Rule


class Case(NamedTuple):
    """A file, and the lines of it at which a rule must point.

    Where no line is named, the rule must not point anywhere.
    """

    rule: Rule
    path: str
    lines: Tuple[int, ...]
    code: str
    others: Tuple[Tuple[str, str], ...] = ()


_DOWN = imports_point_downwards
_TOP = imports_stand_on_top
_CYCLE = imports_form_no_cycle
_ROOMS = libraries_stay_in_their_rooms
_OPTIONAL = optional_libraries_have_one_adapter
_ENVIRONMENT = only_the_settings_read_the_environment
_CLOCK = only_the_clock_reads_the_time
_FINISH = every_way_in_ends_in_finish
_SECRETS = secrets_are_compared_in_constant_time
_COMPAT = only_compat_knows_the_version
_TWO = sqlalchemy_keeps_to_the_intersection
_SQL = sql_keeps_to_old_databases

_LOGIN = "vestibule/features/login/routes.py"
_STORE = "vestibule/store/user.py"
_STEP = "vestibule/migrations/versions/0001_users.py"
_RULES = "vestibule/kernel/rules.py"

IMPORTS = (
    Case(_DOWN, "vestibule/base/x.py", (1,),
         "from vestibule.store.db import DB\n"),
    Case(_DOWN, "vestibule/store/x.py", (1,),
         "from vestibule.mail import letters\n"),
    Case(_DOWN, "vestibule/mail/x.py", (1,), "import vestibule.store.db\n"),
    Case(_DOWN, "vestibule/kernel/x.py", (2,),
         "from vestibule.store import db\nfrom vestibule import web\n"),
    Case(_DOWN, "vestibule/web/x.py", (1,),
         "from vestibule.features.login.routes import login\n"),
    Case(_DOWN, "vestibule/web/y.py", (2, 3),
         "if TYPE_CHECKING:\n    from vestibule.app import create_app\n"
         "    from vestibule import __version__\n"),
    Case(_DOWN, _LOGIN, (1, 2),
         "from vestibule.features.account.routes import profile\n"
         "from vestibule.features import account, login\n"),
    Case(_DOWN, "vestibule/features/__init__.py", (1,),
         "from vestibule.features import login\n"),
    Case(_DOWN, "vestibule/migrations/env.py", (2,),
         "from vestibule.store import tables\n"
         "from vestibule.kernel import auth\n"),
    Case(_DOWN, "vestibule/app.py", (2, 3),
         "from vestibule.features.login import routes\n"
         "from vestibule import cli\nimport vestibule.server\n"),
    Case(_DOWN, "vestibule/cli/serve.py", (2,),
         "from vestibule import app, server\nfrom tests import support\n"),
    Case(_DOWN, "vestibule/utils.py", (1,), '"""Odds and ends."""\n'),
    Case(_DOWN, "vestibule/static/x.py", (1,), "import os\n"),
    Case(_DOWN, _LOGIN, (),
         "from vestibule.web import guards\nfrom vestibule.base import errors"
         "\nfrom vestibule.features.login import pages\nimport flask\n"),
    Case(_TOP, "benchmarks/x.py", (2,),
         "def work() -> None:\n    import json\n"),
    Case(_TOP, "vestibule/web/x.py", (1,), "from . import guards\n"),
    Case(_TOP, "tests/x.py", (2,), "LIMIT = 5\nimport json\n"),
    Case(_TOP, "tests/y.py", (2, 4),
         "class Reader:\n    import json\n"
         "if LIMIT:\n    import json\n"),
    Case(_TOP, "tests/z.py", (2,),
         "try:\n    import redis\nexcept ValueError:\n    redis = None\n"),
    Case(_TOP, "vestibule/kernel/x.py", (3, 4),
         "import importlib\n\nweb = importlib.import_module('web')\n"
         "app = __import__('app')\n"),
    Case(_TOP, "vestibule/kernel/y.py", (3, 6, 7),
         "from vestibule.base.deferred import Deferred\n"
         "from importlib import import_module\nweb = import_module('web')\n"
         "parser = Deferred('parser')\ndef work() -> None:\n"
         "    json = Deferred('json')\ntoo = Deferred(name)\n",
         (("vestibule/base/deferred.py",
           "from importlib import import_module\nimport_module(name)\n"),)),
    Case(_TOP, "vestibule/base/x.py", (),
         '"""Read the settings."""\n__all__ = ["a"]\nimport sys\ntry:\n'
         "    import redis\nexcept ImportError:\n    redis = None\n"
         "if sys.version_info >= (3, 11):\n    import tomllib\n"
         "else:\n    import tomli as tomllib\n"
         "if TYPE_CHECKING:\n    import json\n"),
    Case(_CYCLE, "vestibule/kernel/a.py", (2,),
         "import os\nfrom vestibule.kernel import b\n",
         (("vestibule/kernel/b.py", "import vestibule.kernel.c\n"),
          ("vestibule/kernel/c.py", "from vestibule.kernel.a import A\n"),
          ("vestibule/kernel/d.py", "from vestibule.kernel.a import A\n"),
          ("vestibule/base/e.py", "import vestibule.kernel\n"))),
    Case(_CYCLE, "tests/__init__.py", (1,), "from tests import a\n",
         (("tests/a.py", "from tests import helper\n"),)),
    Case(_CYCLE, "tests/a.py", (), "from tests import b, c\n",
         (("tests/b.py", "from tests import c\n"), ("tests/c.py", ""),
          ("tests/__init__.py", ""))),
)

LIBRARIES = (
    Case(_ROOMS, "vestibule/kernel/x.py", (1, 2),
         "import flask\nfrom werkzeug.http import dump_cookie\n"),
    Case(_ROOMS, "vestibule/features/login/factor.py", (1,),
         "from flask import request\n"),
    Case(_ROOMS, "vestibule/kernel/y.py", (1,),
         "from sqlalchemy.exc import IntegrityError\n"),
    Case(_ROOMS, _LOGIN, (1, 2), "import sqlalchemy\nimport bcrypt\n"),
    Case(_ROOMS, "vestibule/cli/migrate.py", (1,),
         "from alembic import command\n"),
    Case(_ROOMS, "vestibule/kernel/x.py", (2,),
         "from vestibule.base.deferred import Deferred\n"
         "command = Deferred('alembic.command')\n"),
    Case(_ROOMS, "tests/kernel/test_x.py", (2,),
         "import flask, sqlalchemy, bcrypt\nfrom passlib import hash\n"),
    Case(_ROOMS, "vestibule/features/passkeys/store.py", (),
         "import sqlalchemy\n", (
             ("vestibule/features/passkeys/pages.py", "import flask\n"),
             ("vestibule/app.py", "import flask\n"),
             ("vestibule/web/deep/x.py", "import werkzeug\n"),
             (_STEP, "import sqlalchemy\nfrom alembic import op\n"),
             ("vestibule/kernel/hashing.py", "import bcrypt\n"))),
    Case(_OPTIONAL, "vestibule/store/x.py", (1,), "import psycopg2\n"),
    Case(_OPTIONAL, "vestibule/web/x.py", (2,),
         "from vestibule.base.deferred import Deferred\n"
         "redis = Deferred('redis')\n",
         (("vestibule/store/a.py",
           "from vestibule.base.deferred import Deferred\n"
           "redis = Deferred('redis')\n"),)),
    Case(_OPTIONAL, "vestibule/store/y.py", (2,),
         "try:\n    import redis\nfinally:\n    pass\n"),
    Case(_OPTIONAL, "vestibule/web/metrics.py", (2,),
         "try:\n    import orjson\nexcept ImportError:\n    orjson = None\n",
         (("vestibule/base/x.py", "try:\n    from orjson import loads\n"
           "except ModuleNotFoundError:\n    loads = None\n"),)),
    Case(_OPTIONAL, "vestibule/store/z.py", (),
         "try:\n    import redis\n    from redis import exceptions\n"
         "except ImportError:\n    redis = None\n"
         "try:\n    from sqlalchemy.orm import declarative_base\n"
         "except ImportError:\n    from sqlalchemy.ext import declarative\n",
         (("tests/z.py", "import redis\n"),
          (_STORE, "import sqlalchemy\n"))),
)

PLACES = (
    Case(_ENVIRONMENT, "vestibule/kernel/x.py", (2, 3, 4),
         "import os\nA = os.environ['A']\nB = os.getenv('B')\n"
         "C = load(os.environ)\n"),
    Case(_ENVIRONMENT, "vestibule/cli/serve.py", (1, 3, 4),
         "from os import environ\nimport os as system\n"
         "A = system.environ.get('A')\nB = dict(os.environ)['B'], "
         "system.getenv('B')\nC = load(system.environ)\n"),
    Case(_ENVIRONMENT, "vestibule/app.py", (),
         "import os\nsettings = load_settings(environ=os.environ)\n",
         (("vestibule/base/config.py", "import os\nA = os.environ['A']\n"),
          ("tests/conftest.py", "import os\nA = os.environ['A']\n"))),
    Case(_CLOCK, "vestibule/kernel/x.py", (4, 5, 6, 7),
         "import datetime as dt\nfrom datetime import date, datetime\n"
         "import time\nA = datetime.now(tz)\nB = dt.datetime.utcnow()\n"
         "C = date.today()\nD = field(default_factory=time.time)\n"),
    Case(_CLOCK, "vestibule/store/x.py", (1,), "from time import time\n"),
    Case(_CLOCK, "vestibule/kernel/y.py", (),
         "import time\nfrom datetime import datetime\nA = clock.now()\n"
         "B = time.monotonic()\nC = datetime.fromtimestamp(0)\n",
         (("vestibule/base/clock.py", "import time\nA = time.time()\n"),)),
    Case(_FINISH, _LOGIN, (2, 3),
         "def log_in(services):\n    services.sessions.start(user)\n"
         "    return services.live_sessions.add(row)\n"),
    Case(_FINISH, "vestibule/kernel/auth.py", (3, 5),
         "class Auth:\n    def valid_login(self, email, password):\n"
         "        self._sessions.start(user)\n"
         "    def create_session(self, email):\n"
         "        self._session_store.add(user)\n"
         "        return self._sessions.start(user)\n"),
    Case(_FINISH, "vestibule/kernel/sign_in.py", (3,),
         "class SignIn:\n    def with_password(self, email, password):\n"
         "        begin = Sessions(db).start\n"
         "    def finish(self, user, proved):\n"
         "        return self._sessions.start(user, proved)\n"),
    Case(_FINISH, "vestibule/web/x.py", (1,), "hidden.start(user)\n"),
    Case(_FINISH, "vestibule/kernel/delivery.py", (),
         "Thread(target=work).start()\nworkers.add(thread)\n",
         (("vestibule/kernel/sessions.py", "self._sessions.add(row)\n"),
          ("vestibule/store/db.py", "session.add(user)\n"),
          ("vestibule/server.py", "delivery.start(interval)\n"),
          ("tests/kernel/test_x.py", "sessions.start(user)\n"))),
    Case(_SECRETS, _RULES, (1, 2, 3, 4, 5, 6, 7),
         "a = row.secret_digest == digest\n"
         "b = form['new_password'] != repeated\n"
         "c = None if mine == service_token else 1\n"
         "d = 1 < 2 == hashed\n"
         "e = digest_of(x) == y\n"
         "f = query.filter(User.hashed_password == old)\n"
         "g = password == ''\n"),
    Case(_SECRETS, _RULES, (),
         "a = token.purpose == PASSWORD_RESET\n"
         "b = hmac.compare_digest(digest, row.digest)\n"
         "c = len(password) == 0 or secret is None\n"
         "d = token_count == hash_cost\n"
         "e = kind == 'password' and len(tokens) != 3\n"
         "f = query.filter_by(digest=digest)\n",
         (("tests/test_x.py", "a = token == other\n"),)),
)

SQL = (
    Case(_COMPAT, "vestibule/store/db.py", (3, 4),
         "import sqlalchemy as sa\n\nNEW = sa.__version__ > '2'\n"
         "from sqlalchemy import __version__\n"),
    Case(_COMPAT, "vestibule/store/compat.py", (),
         "import sqlalchemy\nNEW = sqlalchemy.__version__ > '2'\n"),
    Case(_TWO, _STORE, (1, 3, 4, 5, 6, 7, 8, 9),
         "from sqlalchemy import Column, select\nimport sqlalchemy as sa\n"
         "a = sa.select([users])\nb = session.get(User, 1)\n"
         "c = self._session.get(User, 1)\nd = create_engine(u, future=True)\n"
         "e = self.engine.execute(sql)\n"
         "f = Session(autocommit=True)\n"
         "from sqlalchemy.orm import Mapped\n"),
    Case(_TWO, "vestibule/features/passkeys/store.py", (1,),
         "from sqlalchemy import select\n"),
    Case(_TWO, _STORE, (),
         "a = session.query(User).get(1)\nb = settings.get('future')\n"
         "c = connection.execute(users.select())\n",
         (("vestibule/store/compat.py", "from sqlalchemy import select\n"),
          ("vestibule/web/x.py", "a = session.get(key)\n"))),
    Case(_SQL, _STORE, (1, 2, 3, 4, 5, 6, 7, 8),
         "a = 'INSERT INTO users VALUES (1) ON CONFLICT DO NOTHING'\n"
         "b = f'UPDATE users SET x = {x} returning id'\n"
         "c = text('SELECT row_number() OVER (ORDER BY id)')\n"
         "d = 'VACUUM ' + ('VACUUM INTO \"copy\"')\n"
         "e = users.insert().returning(users.c.id)\n"
         "f = insert(users).on_conflict_do_nothing()\n"
         "g = func.rank().over(order_by=users.c.id)\n"
         "h = 'x INTEGER GENERATED ALWAYS AS (y)'\n"),
    Case(_SQL, _STEP, (1, 4, 5, 6),
         "from sqlalchemy import Computed\nfrom alembic import op\n"
         "def upgrade():\n    op.drop_column('users', 'label')\n"
         "    op.execute('ALTER TABLE users DROP COLUMN label')\n"
         "    op.alter_column('users', 'label', nullable=True)\n"),
    Case(_SQL, _STEP, (),
         'from alembic import op\ndef upgrade():\n    """Drop the label,'
         ' for want of DROP COLUMN in SQLite by a copy."""\n'
         "    with op.batch_alter_table('users') as users:\n"
         "        users.drop_column('label')\n"
         "    op.add_column('users', a)\n",
         ((_STORE, "a = 'INSERT OR IGNORE INTO users VALUES (1)'\n"),
          ("vestibule/web/x.py", "a = 'returning users'\n"))),
)
