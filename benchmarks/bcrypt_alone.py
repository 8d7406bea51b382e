#!/usr/bin/env python3
"""Hashing without a service around it: the most logins there can be.

``hash PASSWORD COST`` prints a hash; ``check PASSWORD COST THREADS SECONDS``
prints how many checks threads get done together, a second of the clock and a
second of CPU time. It runs in the environment of a service, which has bcrypt.
"""

import sys
import threading
import time
from typing import List, Tuple

import bcrypt


def main(words: List[str]) -> None:
    """Do what the command line says, and print the outcome."""
    password, cost = words[1].encode(), int(words[2])
    hashed = bcrypt.hashpw(password, bcrypt.gensalt(cost))
    if words[0] == "hash":
        print(hashed.decode())
    else:
        print(*rates(password, hashed, int(words[3]), float(words[4])))


def rates(password: bytes, hashed: bytes, threads: int,
          seconds: float) -> Tuple[float, float]:
    """Check a password in threads; those begun in time are counted whole."""
    counts = [0] * threads
    began, spent = time.perf_counter(), time.process_time()

    def work(number: int) -> None:
        """Check again and again until the time is over."""
        while time.perf_counter() < began + seconds:
            bcrypt.checkpw(password, hashed)
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,))
               for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return (sum(counts) / (time.perf_counter() - began),
            sum(counts) / (time.process_time() - spent))


if __name__ == "__main__":
    main(sys.argv[1:])
