#!/usr/bin/env python3
"""The program ``vestibule``: all commands, put together."""

import click

from vestibule import __version__
from vestibule.cli.calibrate import calibrate
from vestibule.cli.config import config
from vestibule.cli.deliver import deliver
from vestibule.cli.explain import explain
from vestibule.cli.letters import letters
from vestibule.cli.migrate import migrate
from vestibule.cli.refusals import Program
from vestibule.cli.routes import routes
from vestibule.cli.serve import serve
from vestibule.cli.throttle import throttle
from vestibule.cli.users import users
from vestibule.cli.version import version

COMMANDS = (serve, migrate, deliver, letters, users, throttle, explain,
            config, calibrate, routes, version)


@click.group(cls=Program,
             context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="Vestibule %(version)s")
def program() -> None:
    """Vestibule: a self-hosted user authentication service.

    Settings come from the environment, VESTIBULE_…, or from the TOML file
    that VESTIBULE_CONFIG names; `vestibule config show` prints them.

    \b
    Example:
      VESTIBULE_PROFILE=development vestibule serve
    """


for command in COMMANDS:
    program.add_command(command)


def main() -> None:
    """Run the command that the arguments name, and end the process."""
    program(prog_name="vestibule")
