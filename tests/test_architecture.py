#!/usr/bin/env python3
"""The shape of the project, held by rules that each turn red when broken.

A rule is a small pure function over the parsed project; the rules stand in
`tests/support/source_*.py`. Each runs over the project itself, where it must
find nothing, and over deliberate violations of it, written to a temporary
folder, where it must point at the very lines: so the suite shows at each run
that the rule can go red, and that innocent neighbours stay green. What each
rule was seen to go red on:

imports_point_downwards: the base importing the store, the store importing
mail, the kernel importing web, a feature importing another, app.py importing
the CLI, the service importing the tests, a file without a layer.
imports_stand_on_top: an import in a function, in a class, below other code,
under a condition; a relative one; `importlib.import_module`; one that is
deferred in a function, or by a name that nobody can read.
imports_form_no_cycle: three modules in a ring; a package and its module.
libraries_stay_in_their_rooms: Flask in the kernel and in a factor, SQLAlchemy
in the kernel and in routes, bcrypt in routes, alembic in the CLI, passlib.
optional_libraries_have_one_adapter: psycopg2 unguarded, a library adapted in
two modules.
only_the_settings_read_the_environment: `os.environ` in the kernel, `os.getenv`
in the CLI, `from os import environ`.
only_the_clock_reads_the_time: `datetime.now`, `utcnow`, `date.today`, and
`time.time` called, passed on, and imported.
every_way_in_ends_in_finish: routes, `Auth.valid_login` and
`SignIn.with_password` that start a session themselves; rows added directly.
secrets_are_compared_in_constant_time: `==` on a digest, a form's password, a
token, in a chain, on a call's result and in a query.
only_compat_knows_the_version: `sqlalchemy.__version__` in db.py.
sqlalchemy_keeps_to_the_intersection: `select`, `session.get`, `future=`,
`autocommit=`, `engine.execute`, `Mapped`.
sql_keeps_to_old_databases: ON CONFLICT, RETURNING, OVER, VACUUM INTO, a
generated column, as text and as calls; `op.drop_column` outside a batch.
files_are_short, functions_are_short, classes_are_small, parameters_are_few:
one line, one method, one parameter more than the limit.
python_opens_with_the_shebang: a module, a program without suffix, and the
template of migrations with another first line.
texts_end_with_a_new_line: a page without an end, an empty file.
everything_is_documented: no docstring; a small first letter, two words, no
full stop, and the name said again.
everything_is_annotated: a bare parameter, a bare result, bare options.
nothing_is_silenced: the linter's, mypy's nameless, and mypy's file-wide word.
no_except_is_bare: `except:`.
syntax_is_of_python37: a walrus, positional-only parameters, nonsense.
library_is_of_python37: `cached_property`, `Literal`, `tomllib` unguarded,
`removeprefix`, `missing_ok=`.
annotations_are_of_python37: `list[int]`, `int | None`.
kinds_without_a_status: a kind of error that the table has forgotten.
"""
import re
from pathlib import Path
from typing import Dict, List, Type

import pytest

from tests.support import (
    source_imports, source_limits, source_misshapen, source_places,
    source_python37, source_sql, source_style, source_violations
)
from tests.support.source_tree import Rule, Tree, list_files
from tests.support.source_violations import Case
from vestibule.base import errors
from vestibule.base.errors import AuthError
from vestibule.web.errors import STATUS

ROOT = Path(__file__).resolve().parent.parent
RULES = (
    source_imports.imports_point_downwards,
    source_imports.imports_stand_on_top,
    source_imports.imports_form_no_cycle,
    source_imports.libraries_stay_in_their_rooms,
    source_imports.optional_libraries_have_one_adapter,
    source_places.only_the_settings_read_the_environment,
    source_places.only_the_clock_reads_the_time,
    source_places.every_way_in_ends_in_finish,
    source_places.secrets_are_compared_in_constant_time,
    source_sql.only_compat_knows_the_version,
    source_sql.sqlalchemy_keeps_to_the_intersection,
    source_sql.sql_keeps_to_old_databases,
    source_limits.files_are_short,
    source_limits.functions_are_short,
    source_limits.classes_are_small,
    source_limits.parameters_are_few,
    source_style.python_opens_with_the_shebang,
    source_style.texts_end_with_a_new_line,
    source_style.everything_is_documented,
    source_style.everything_is_annotated,
    source_style.nothing_is_silenced,
    source_style.no_except_is_bare,
    source_python37.syntax_is_of_python37,
    source_python37.library_is_of_python37,
    source_python37.annotations_are_of_python37,
)
CASES = (
    *source_violations.IMPORTS, *source_violations.LIBRARIES,
    *source_violations.PLACES, *source_violations.SQL,
    *source_misshapen.SIZES, *source_misshapen.FORM,
    *source_misshapen.PYTHON37,
)


@pytest.fixture(name="project", scope="module")
def fixture_project() -> Tree:
    """Return this project, parsed once for all rules."""
    return Tree(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_the_project_keeps(rule: Rule, project: Tree) -> None:
    """The project has no place at which the rule would point."""
    faults = sorted(rule(project))
    assert not faults, "\n" + "\n".join(str(fault) for fault in faults)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule.__name__)
def test_a_rule_points_at_its_violations(case: Case, tmp_path: Path) -> None:
    """The rule points at the lines that break it, and at no others."""
    write(tmp_path, {case.path: case.code, **dict(case.others)})
    faults = sorted(case.rule(Tree(tmp_path)))
    found = [(fault.path, fault.line) for fault in faults]
    assert found == [(case.path, line) for line in case.lines]
    assert all(fault.sentence.endswith(".") for fault in faults)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_no_rule_is_without_violation_and_innocent(rule: Rule) -> None:
    """Each rule has a case to go red on, one to pass, and is explained."""
    outcomes = {bool(case.lines) for case in CASES if case.rule is rule}
    assert outcomes == {True, False}
    assert re.search(rf"\b{rule.__name__}\b", __doc__ or "")


def test_every_public_rule_is_among_those_that_run() -> None:
    """No function that is written as a rule was forgotten in `RULES`."""
    rules = {
        value for module in (source_imports, source_limits, source_places,
                             source_python37, source_sql, source_style)
        for name, value in vars(module).items()
        if getattr(value, "__annotations__", {}).get("tree") is Tree
        and not name.startswith("_")
    }
    assert rules == set(RULES)


def test_the_project_is_really_read(project: Tree) -> None:
    """The rules see the service, its tests and what they stand on."""
    paths = {source.path for source in project.sources}
    assert {"vestibule/app.py", "vestibule/store/db.py",
            "vestibule/migrations/env.py", "tests/conftest.py",
            "tests/test_architecture.py"} <= paths
    assert "vestibule.kernel.sign_in" in project.modules
    assert "README.md" in project.texts


def test_without_git_the_folder_is_walked(tmp_path: Path) -> None:
    """Outside a checkout the same files are found, tools' folders not."""
    write(tmp_path, {"a/b.py": "", "run": "#!/usr/bin/env python3\n",
                     ".venv/pyvenv.cfg": "", ".venv/lib/c.py": "",
                     "a/__pycache__/b.py": "", "x.egg-info/y.py": ""})
    assert list_files(tmp_path) == ["a/b.py", "run"]
    assert sorted(Tree(tmp_path).modules) == ["a.b", "run"]


def kinds_without_a_status(
        kinds: List[Type[AuthError]],
        table: Dict[Type[AuthError], int]) -> List[str]:
    """Return the kinds of errors that have no status of a refusal."""
    return [kind.__name__ for kind in kinds
            if not 400 <= table.get(kind, 0) < 600]


def test_every_error_kind_has_a_status() -> None:
    """Whatever the kernel refuses, the web knows what to answer."""
    kinds = [
        kind for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, AuthError)
        and kind is not AuthError
    ]
    assert len(kinds) >= 12
    assert kinds_without_a_status(kinds, dict(STATUS)) == []


def test_an_error_kind_without_a_status_is_found() -> None:
    """A kind that the table forgot, or calls a success, is named."""
    class Forgotten(AuthError):
        """A kind of error that nobody entered in the table."""

    class Cheerful(AuthError):
        """A kind of error that the table takes for a success."""

    kinds = [Forgotten, Cheerful]
    table: Dict[Type[AuthError], int] = {Cheerful: 200}
    assert kinds_without_a_status(kinds, table) == ["Forgotten", "Cheerful"]


def write(root: Path, files: Dict[str, str]) -> None:
    """Write files below a folder, making the folders they need."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
