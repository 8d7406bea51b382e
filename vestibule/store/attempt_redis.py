#!/usr/bin/env python3
"""Tries counted in Redis or Valkey: the second place for attempts.

Every verb is one script, which the server runs as one step: nothing comes
between two keys of a try. A window is a hash of what the table's row holds,
and expires by itself, so that memory is bounded.
"""

import math
from datetime import datetime, timedelta
from typing import Any, Dict, List, Sequence

from vestibule.base.deferred import Deferred
from vestibule.store.attempt import (
    LIFTED, AttemptsAway, AttemptStore, Exhausted, Wanted, Window)
from vestibule.store.tables import from_microseconds, to_microseconds

redis = Deferred("redis")
redis_backoff = Deferred("redis.backoff")
redis_retry = Deferred("redis.retry")

PREFIX = "vestibule:attempts:"
PATIENCE_SECONDS = 0.25
# Clocks of several machines are never quite equal. The key stays so much
# longer than its window; that the window is over is said by ``ends_at``.
GRACE = timedelta(minutes=1)

# Microseconds since 1970 stay below 2^53, so Lua's numbers compare them
# exactly; they are stored as they were sent, for Lua would round them when it
# writes them. As in the table, a window begins with the first try that was
# made, whichever is the first to be counted.
RESERVE = """
local now = tonumber(ARGV[1])
local spent, latest = 0, '0'
local live = {}
for i, key in ipairs(KEYS) do
    local held = redis.call('HMGET', key, 'count', 'ends_at')
    live[i] = held[2] and tonumber(held[2]) > now
    if live[i] and tonumber(held[1]) >= tonumber(ARGV[i * 3 - 1])
            and tonumber(held[2]) > tonumber(latest) then
        spent, latest = i, held[2]
    end
end
if spent > 0 then
    return {spent, latest}
end
for i, key in ipairs(KEYS) do
    if live[i] then
        local held = redis.call('HMGET', key, 'open', 'count', 'ends_at')
        if held[1] == '0' then
            redis.call('HSET', key, 'burst', 0)
        end
        if tonumber(held[2]) >= 0
                and tonumber(held[3]) > tonumber(ARGV[i * 3]) then
            redis.call('HSET', key, 'ends_at', ARGV[i * 3])
        end
        redis.call('HINCRBY', key, 'count', 1)
        redis.call('HINCRBY', key, 'open', 1)
        redis.call('HINCRBY', key, 'burst', 1)
    else
        redis.call('HMSET', key, 'count', 1, 'open', 1, 'burst', 1,
                   'ends_at', ARGV[i * 3])
        redis.call('PEXPIRE', key, ARGV[i * 3 + 1])
    end
end
return {}
"""
# What becomes of the count as an open try is closed.
CLOSE = """
for _, key in ipairs(KEYS) do
    local held = redis.call('HMGET', key, 'open', 'count', 'burst')
    if tonumber(held[1] or '0') > 0 then
        redis.call('HINCRBY', key, 'open', -1)
        if ARGV[1] == 'clear' and tonumber(held[2]) >= 0 then
            local left = tonumber(held[3]) > 1 and held[3] or 0
            redis.call('HMSET', key, 'count', left, 'burst', left)
        end
    end
end
return {}
"""
# A window that began since the try was counted ends later than is said.
WITHDRAW = """
for i, key in ipairs(KEYS) do
    local held = redis.call('HMGET', key, 'open', 'count', 'ends_at')
    if tonumber(held[1] or '0') > 0 and (tonumber(held[2]) < 0
            or tonumber(held[3]) <= tonumber(ARGV[i])) then
        redis.call('HINCRBY', key, 'open', -1)
        redis.call('HINCRBY', key, 'count', -1)
        redis.call('HINCRBY', key, 'burst', -1)
    end
end
return {}
"""
WINDOWS = """
local found = {}
for i, key in ipairs(KEYS) do
    local held = redis.call('HMGET', key, 'count', 'ends_at')
    if held[2] and tonumber(held[2]) > tonumber(ARGV[1]) then
        found[#found + 1] = {i, tonumber(held[1]), held[2]}
    end
end
return found
"""
FORGET = """
for _, key in ipairs(KEYS) do
    redis.call('DEL', key)
end
return {}
"""


# An operator lifts few limits: they may stay until they are tried or reset.
LIFT = """
for _, key in ipairs(KEYS) do
    redis.call('HMSET', key, 'count', ARGV[1], 'ends_at', ARGV[2])
    redis.call('HSETNX', key, 'open', 0)
    redis.call('HSETNX', key, 'burst', 0)
    redis.call('PERSIST', key)
end
return {}
"""


class RedisAttempts(AttemptStore):
    """Counts tries in Redis, exactly across processes and machines.

    Every verb raises ``AttemptsAway`` where Redis fails, of whatever kind
    the failure is: it is away, full, a replica, or takes too long.
    """

    def __init__(self, url: str) -> None:
        """Connect with the first verb, and not before.

        Raises ``ValueError`` for a URL that is unusable, and
        ``ModuleNotFoundError`` where the library is not installed.
        """
        options: Dict[str, Any] = {
            "socket_timeout": PATIENCE_SECONDS,
            "socket_connect_timeout": PATIENCE_SECONDS,
            # Newer libraries would try for seconds on end.
            "retry": _no_second_try(), "retry_on_timeout": False}
        if url.startswith("rediss:"):
            # Older ones would take anybody's certificate.
            options.update(ssl_cert_reqs="required", ssl_check_hostname=True)
        self._client = redis.Redis.from_url(url, **options)
        (self._reserve, self._close, self._withdraw, self._windows,
         self._forget, self._lift) = (
            self._client.register_script(script) for script in (
                RESERVE, CLOSE, WITHDRAW, WINDOWS, FORGET, LIFT))

    def reserve(self, wanted: Sequence[Wanted], now: datetime) -> None:
        """Count a try under every key; see ``AttemptStore``."""
        arguments = [to_microseconds(now)]
        for each in wanted:
            stays = each.budget.window + GRACE
            arguments += [
                each.budget.most, to_microseconds(now + each.budget.window),
                math.ceil(stays / timedelta(milliseconds=1))]
        spent = self._run(
            self._reserve, [each.key for each in wanted], arguments)
        if spent:
            raise Exhausted(wanted[spent[0] - 1].key,
                            from_microseconds(int(spent[1])))

    def settle(self, keys: Sequence[str]) -> None:
        """Note that a try was wrong; see ``AttemptStore``."""
        self._run(self._close, keys, ["settle"])

    def clear(self, keys: Sequence[str]) -> None:
        """Note that a try was right; see ``AttemptStore``."""
        self._run(self._close, keys, ["clear"])

    def withdraw(self, wanted: Sequence[Wanted],
                 counted_at: datetime) -> None:
        """Forget a try that was counted then; see ``AttemptStore``."""
        self._run(self._withdraw, [each.key for each in wanted], [
            to_microseconds(counted_at + each.budget.window)
            for each in wanted])

    def windows(self, keys: Sequence[str],
                now: datetime) -> Dict[str, Window]:
        """Return what is counted; see ``AttemptStore``."""
        rows = self._run(self._windows, keys, [to_microseconds(now)])
        return {keys[number - 1]: Window(used, from_microseconds(int(end)))
                for number, used, end in rows}

    def forget(self, keys: Sequence[str]) -> None:
        """Forget what is counted; see ``AttemptStore``."""
        self._run(self._forget, keys, [])

    def lift(self, keys: Sequence[str], ends_at: datetime) -> None:
        """Let everything through until then; see ``AttemptStore``."""
        self._run(self._lift, keys, [LIFTED, to_microseconds(ends_at)])

    def close(self) -> None:
        """Give all connections back."""
        self._client.connection_pool.disconnect()

    def _run(self, script: Any, keys: Sequence[str],
             arguments: Sequence[Any]) -> List[Any]:
        """Run a script under its digest; it is sent where it is not known.

        What failed is told by its kind alone: the text of some errors has
        the URL in it, or what the server makes of the password.
        """
        if not keys:
            return []
        try:
            found: List[Any] = script(
                [PREFIX + key for key in keys], arguments)
        except (redis.RedisError, OSError, UnicodeError) as error:
            raise AttemptsAway(type(error).__name__) from None
        return found


def _no_second_try() -> Any:
    """Return the library's word for it, and so find whether it is there."""
    try:
        return redis_retry.Retry(redis_backoff.NoBackoff(), 0)
    except ImportError:
        raise ModuleNotFoundError(
            "needs its library: pip install 'vestibule[redis]'") from None
