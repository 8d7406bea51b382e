#!/usr/bin/env python3
"""Deliberate violations of the rules on size, on form and on Python 3.7.

Beside them stand a few innocent files, at which a rule must not point.
"""
from tests.support.source_limits import (
    classes_are_small, files_are_short, functions_are_short,
    parameters_are_few
)
from tests.support.source_python37 import (
    annotations_are_of_python37, library_is_of_python37,
    syntax_is_of_python37
)
from tests.support.source_style import (
    everything_is_annotated, everything_is_documented, no_except_is_bare,
    nothing_is_silenced, python_opens_with_the_shebang,
    texts_end_with_a_new_line
)
from tests.support.source_violations import Case

_SHEBANG = python_opens_with_the_shebang
_ENDS = texts_end_with_a_new_line
_SAID = everything_is_documented
_TYPED = everything_is_annotated
_LOUD = nothing_is_silenced
_SYNTAX = syntax_is_of_python37
_LIBRARY = library_is_of_python37
_TYPES = annotations_are_of_python37

_X = "vestibule/kernel/x.py"
_SAYING = '"""What the kernel knows of x."""\n'
# A function of 50 lines in all, whose last statement ends in brackets.
_FIFTY = ("@decorated(\n    1,\n)\ndef work():\n" + "    pass\n" * 46
          + "    call(\n        1\n    )\n")

SIZES = (
    Case(files_are_short, _X, (401,), "pass\n" * 401),
    Case(files_are_short, _X, (), "pass\n" * 400),
    Case(functions_are_short, _X, (4,), _FIFTY.replace("1\n", "1\n\n")),
    Case(functions_are_short, _X, (2,),
         "class Work:\n    async def work(self):\n"
         + "        pass\n" * 49 + '        """\n        """\n'),
    Case(functions_are_short, _X, (), _FIFTY),
    Case(classes_are_small, _X, (1,),
         "class Work:\n" + "    def work(self): pass\n" * 16),
    Case(classes_are_small, _X, (),
         "class Work:\n    x = 1\n" + "    def work(self): pass\n" * 15),
    Case(parameters_are_few, _X, (1, 3, 5),
         "def work(a, b, c, *, d, e, f): pass\nclass Work:\n"
         "    def work(self, a, b, c, d, *e, **f): pass\n"
         "    @staticmethod\n    def call(a, b, c, d, e, f): pass\n"),
    Case(parameters_are_few, _X, (),
         "class Work:\n    def work(self, a, b, c, d, *, e): pass\n"
         "    @classmethod\n    def call(cls, a, b, c, d, e): pass\n"),
)

FORM = (
    Case(_SHEBANG, "tools/lint", (1,), "#!/usr/bin/python3\n"),
    Case(_SHEBANG, _X, (1,), "\n#!/usr/bin/env python3\n"),
    Case(_SHEBANG, "vestibule/migrations/script.py.mako", (1,),
         '"""${message}."""\n'),
    Case(_SHEBANG, "tools/lint", (), "#!/usr/bin/env python3\n",
         (("tools/run", "#!/bin/sh\n"), ("x.md", "# Title\n"))),
    Case(_ENDS, "docs/x.md", (2,), "# Title\nNo end"),
    Case(_ENDS, "vestibule/py.typed", (1,), ""),
    Case(_ENDS, _X, (), "pass\n", (("image.png", "\0"),)),
    Case(_SAID, _X, (1, 1), "def work():\n    pass\n"),
    Case(_SAID, _X, (2, 5, 8),
         _SAYING + "class Work:\n    pass\n@decorated\nasync def work():\n"
         '    """Do the work well."""\n    pass\n    def inner(): pass\n'
         .replace('"""Do', '"""do')),
    Case(_SAID, _X, (2, 4, 6, 8),
         _SAYING + 'def work():\n    """Works always."""\n'
         'def rest():\n    """Rest for a while"""\n'
         'def add_user():\n    """Adds the user."""\n'
         'def test_hash_is_kept():\n    """The hash is kept."""\n'),
    Case(_SAID, "tools/check_all_files", (1,),
         '#!/usr/bin/env python3\n"""Check all files."""\n'),
    Case(_SAID, _X, (),
         _SAYING + 'def rest():\n    """`rest` is what remains?\n\n'
         '    and more"""\n'
         'def wait():\n    """Wait for a while.\n'
         '    """\nclass AddUser:\n    """Add the user.\n\n'
         '    Twice is an error.\n    """\n'),
    Case(_TYPED, _X, (1, 3, 6),
         "def work(a, *, b: int) -> None: pass\nclass Work:\n"
         "    def __init__(self, *args: int): pass\n"
         "    def work(self) -> None:\n        pass\n"
         "        def inner(**options) -> None: pass\n"),
    Case(_TYPED, _X, (),
         "class Work:\n    def work(self, *a: int, **b: int) -> None: pass\n"
         "    @staticmethod\n    def call(a: int) -> None: pass\n"
         "work = [lambda x: x]\n"),
    Case(_LOUD, _X, (1, 2, 3),
         "import os  # no" "qa: F401\na = b  # type: ignore\n"
         "# mypy: ignore-errors\n"),
    Case(_LOUD, _X, (),
         "a = b  # type: ignore[attr-defined]\nc = '# no" "qa'\n"),
    Case(no_except_is_bare, _X, (3,),
         "try:\n    work()\nexcept:\n    pass\n"),
    Case(no_except_is_bare, _X, (),
         "try:\n    work()\nexcept ValueError:\n    pass\n"),
)

PYTHON37 = (
    Case(_SYNTAX, _X, (2,), "pass\nif (a := 1): pass\n"),
    Case(_SYNTAX, _X, (1,), "def work(a, /): pass\n"),
    Case(_SYNTAX, _X, (1,), "match = = 1\n"),
    Case(_SYNTAX, _X, (), "a: int = 1\nb = f'{a!r}'\n"),
    Case(_LIBRARY, _X, (1, 2, 4, 5, 6, 7, 8),
         "from functools import cached_property, wraps\n"
         "from typing import Dict, Literal\nimport typing as t\n"
         "a: t.Final = 1\nimport tomllib\nb = 'x'.removeprefix('y')\n"
         "c = path.unlink(missing_ok=True)\nd = zip(a, b, strict=True)\n"),
    Case(_LIBRARY, _X, (),
         "from typing import Dict\nfrom typing_extensions import Literal\n"
         "try:\n    import tomllib\nexcept ImportError:\n"
         "    import tomli as tomllib\n"
         "if sys.version_info >= (3, 8):\n"
         "    from importlib.metadata import version\n"
         "validate(strict=True)\n"),
    Case(_TYPES, _X, (2, 3, 4, 5),
         "from collections.abc import Iterator\n"
         "def work() -> list[int]: pass\n"
         "a: Iterator[int]\ndef call(a: int | None): pass\n"
         "Names = dict[str, int]\n"),
    Case(_TYPES, _X, (2,),
         "from __future__ import annotations\nNames = dict[str, int]\n"
         "def work(a: int | None) -> list[int]: pass\n"),
    Case(_TYPES, _X, (),
         "from typing import Iterator, List\ndef work() -> List[int]: pass\n"
         "a: 'list[int]'\nb = 1 | 2\nc: Iterator[int] = d[0]\n"),
)
