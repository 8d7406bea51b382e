#!/usr/bin/env python3
"""``vestibule deliver``: sends letters, as a process of its own."""

import signal
import threading
from typing import Any, List

import click

from vestibule.base.log_queue import log_to_stderr
from vestibule.cli.opening import load_settings, look_for_database
from vestibule.cli.output import print_aside
from vestibule.kernel.delivery import BATCH, Delivery
from vestibule.kernel.services import build_services
from vestibule.store.schema import require_current

SIGNALS = (signal.SIGTERM, signal.SIGINT)
LOOK_SECONDS = 0.2


@click.command()
@click.option("--once", is_flag=True,
              help="Send what is due now, say how many, and end.")
def deliver(once: bool) -> None:
    """Send letters as they fall due, until SIGTERM or Ctrl-C.

    The service does so too; this is for sending from elsewhere, and any
    number of senders may work at once. What a mail server refuses for now
    is logged and tried again later.

    \b
    Example:
      vestibule deliver
      vestibule deliver --once
    """
    settings = load_settings().settings
    look_for_database(settings)
    services = build_services(settings)
    log_to_stderr()
    try:
        require_current(services.db.engine)
        if once:
            click.echo(f"Letters tried: {_send_all(services.delivery)}.")
        else:
            _send_until_told(services.delivery)
    finally:
        services.db.close()


def _send_all(delivery: Delivery) -> int:
    """Try all letters that are due, batch by batch; return how many."""
    count = tried = delivery.send_due()
    while tried == BATCH:
        tried = delivery.send_due()
        count += tried
    return count


def _send_until_told(delivery: Delivery) -> None:
    """Send letters in a thread until a signal comes; a second one kills.

    The handlers only note the signal: to set the event there could wait for
    ever for a lock that the interrupted thread holds.
    """
    told: List[int] = []

    def note(number: int, frame: Any) -> None:
        """Note the signal, and leave the next one to the system."""
        told.append(number)
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)

    for each in SIGNALS:
        signal.signal(each, note)
    stop = threading.Event()
    sender = threading.Thread(
        target=delivery.run, args=(stop,), name="delivery", daemon=True)
    sender.start()
    print_aside("Sending letters as they fall due; Ctrl-C ends it.")
    while sender.is_alive() and not told:
        sender.join(LOOK_SECONDS)
    if not told:
        raise SystemExit(1)
    stop.set()
    sender.join()
