"""Requests to an OpenAI-compatible endpoint: retried, paced, several at once, answers in order."""

from __future__ import annotations

import email.utils
import json
import logging
import os
import queue
import random
import re
import threading
import time
import urllib.parse
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx2

from mtl_cli.errors import ConfigError, Fault, MtlError, RunError

log = logging.getLogger(__name__)

_Done: TypeAlias = "queue.SimpleQueue[tuple[int, Mapping[str, Any] | MtlError | None]]"
"""Number of a request and what came of it; None: its thread failed."""
_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}
"""Statuses that another try may not meet."""
_CANNOT = re.compile(r"\becho\b|logprobs|not supported|unsupported", re.IGNORECASE)
"""What some servers call an error of their own, and is a refusal."""
_LONGEST_WAIT = 600.0
"""Seconds that a server may ask us to wait."""
_LONGEST_BACKOFF = 60.0
_TICK = 0.1
"""Seconds after which Ctrl-C is seen at the latest."""
_SHOWN = 300
"""Characters of an answer that a message shows."""


class RefusedError(RunError):
    """The server understood the request and will not do it.

    Args:
        message: for the user.
        status: of the answer.
        told: the answer's status and first words.
    """

    def __init__(self, message: str, status: int, told: str) -> None:
        super().__init__(message)
        self.status, self.told = status, told


@dataclass(frozen=True)
class Limits:
    """How hard an endpoint is asked."""

    timeout: float
    """Seconds that it may be silent."""
    retries: int
    """Further tries after the first."""
    per_minute: float | None
    """Requests a minute at most, evenly spaced; None: no limit."""
    parallel: int
    """Requests at once."""


@dataclass(frozen=True)
class Clock:
    """Time and chance, so that tests need not wait."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[threading.Event, float], object] = threading.Event.wait
    """Wait so many seconds, or until the event."""
    jitter: Callable[[], float] = random.random
    """From 0 to 1."""


@dataclass
class _Pace:
    """Hands out the moments at which a request may start."""

    spacing: float
    clock: Clock
    _next: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, stop: threading.Event) -> None:
        with self._lock:
            now = self.clock.now()
            start = max(now, self._next)
            self._next = start + self.spacing
        if start > now:
            self.clock.sleep(stop, start - now)

    def not_before(self, seconds: float) -> None:
        """No request starts for so long."""
        with self._lock:
            self._next = max(self._next, self.clock.now() + seconds)


@dataclass(frozen=True)
class _Reply:
    """What came back."""

    status: int | None
    """None: no whole answer came."""
    said: str
    """Body, or what went wrong on the way."""
    wait: float | None = None
    """Seconds that the server asks us to wait."""

    @property
    def passing(self) -> bool:
        """Whether another try may do better."""
        if self.status is not None and self.status >= 500 and _CANNOT.search(self.said):
            return False
        return self.status is None or self.status in _PASSING

    def told(self) -> str:
        words = " ".join(self.said.split())[:_SHOWN]
        return words if self.status is None else f"HTTP {self.status}: {words or '(an empty body)'}"


class Client:
    """An endpoint with the model that is asked there.

    Args:
        url: base of the endpoint, such as http://localhost:8000/v1.
        model: name of the model at the endpoint.
        key_env: environment variable that holds the key; a server that asks for none needs none.
        limits: how hard it is asked.
        clock: time and chance.

    Raises:
        ConfigError: the address is none, holds credentials, or the key cannot be sent.
    """

    def __init__(self, url: str, model: str, key_env: str, limits: Limits, clock: Clock | None = None) -> None:
        self.url, self.model = checked_url(url), model
        self._key_env, self._limits, self._clock = key_env, limits, clock or Clock()
        self._key = _key(key_env)
        self._pace = _Pace(60 / limits.per_minute if limits.per_minute else 0.0, self._clock)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        at_once = httpx2.Limits(max_connections=limits.parallel, max_keepalive_connections=limits.parallel)
        timeout = httpx2.Timeout(limits.timeout, pool=None)
        self._http = httpx2.Client(headers=headers, timeout=timeout, limits=at_once)
        weakref.finalize(self, self._http.close)
        if self._key and _open_road(self.url):
            log.warning("the key in %s is sent to %s without encryption (http)", key_env, self.url)

    def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask once; see `post_all`."""
        return self.post_all(path, [body])[0]

    def post_all(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Ask for each body and return the answers in their order; the model is added to each body.

        The threads are daemons: one that waits for a silent server holds up neither Ctrl-C nor the end of the program.

        Raises:
            RefusedError: the server will not do it.
            RunError: it does not answer, or not with a JSON object, after all tries.
        """
        todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        done: _Done = queue.SimpleQueue()
        stop = threading.Event()
        for i in range(len(bodies)):
            todo.put(i)
        for _ in range(min(self._limits.parallel, len(bodies))):
            threading.Thread(target=self._work, args=(path, bodies, todo, done, stop), daemon=True).start()
        answers: dict[int, Mapping[str, Any]] = {}
        try:
            while len(answers) < len(bodies):
                try:
                    i, answer = done.get(timeout=_TICK)
                except queue.Empty:
                    continue  # a signal is not seen by a thread that waits without end
                if isinstance(answer, MtlError):
                    raise answer
                if answer is None:
                    raise RuntimeError("a thread that sends requests has failed; its traceback stands above")
                answers[i] = answer
        finally:
            stop.set()
        return [answers[i] for i in range(len(bodies))]

    def _work(
        self, path: str, bodies: Sequence[Mapping[str, Any]], todo: queue.SimpleQueue[int], done: _Done, stop: threading.Event
    ) -> None:  # fmt: skip
        """One thread: ask until nothing is left."""
        while not stop.is_set():
            try:
                i = todo.get_nowait()
            except queue.Empty:
                return
            answer: Mapping[str, Any] | MtlError | None = None
            try:
                answer = self._asked(path, bodies[i], stop)
            except MtlError as error:
                answer = error
            finally:
                done.put((i, answer))

    def wrong(self, what: str, answer: object) -> RunError:
        """The error for an answer that is not as it must be."""
        shown = self._safe(json.dumps(answer, ensure_ascii=False))[:_SHOWN]
        return RunError(
            f"{self.url} (model {self.model}) gave an answer that cannot be used: {what}. It begins: {shown}. "
            "Is it an OpenAI-compatible endpoint, and the url its base, such as http://host:8000/v1?"
        )

    def _asked(self, path: str, body: Mapping[str, Any], stop: threading.Event) -> Mapping[str, Any]:
        content = json.dumps({"model": self.model, **body}).encode()
        for left in range(self._limits.retries, -1, -1):
            self._pace.wait(stop)
            if stop.is_set():
                break
            reply = self._once(path, content)
            if reply.status == 200:
                return self._read(path, reply)
            if not reply.passing:
                raise self._refusal(path, reply)
            if not left:
                raise self._gave_up(path, reply)
            self._hold(reply, self._limits.retries - left, stop)
        raise RunError("stopped")

    def _once(self, path: str, content: bytes) -> _Reply:
        try:
            response = self._http.post(f"{self.url}/{path}", content=content)
        except httpx2.TimeoutException:
            return _Reply(None, f"no answer in {self._limits.timeout:g} s")
        except httpx2.TransportError as error:
            return _Reply(None, self._safe(str(error) or type(error).__name__))
        wait = _retry_after(response.headers.get("Retry-After"), self._clock)
        moved = f"moved to {response.headers['Location']}. " if response.has_redirect_location else ""
        return _Reply(response.status_code, self._safe(moved + response.text), wait)

    def _hold(self, reply: _Reply, tries: int, stop: threading.Event) -> None:
        """Wait before the next try: as long as the server asks, else 0.5 s doubled each time, less up to half of it by chance."""
        seconds = reply.wait
        if seconds is None:
            seconds = min(_LONGEST_BACKOFF, 0.5 * 2**tries) * (1 - 0.5 * self._clock.jitter())
        elif seconds > _LONGEST_WAIT:
            raise RunError(
                f"{self.url} (model {self.model}) asks to wait {seconds:,.0f} s ({reply.told()}). Come back later; with cache=true "
                "what was answered is kept"
            )
        else:
            self._pace.not_before(seconds)
        log.info(
            "api      %s; again in %.1f s (try %d of %d)", reply.told(), seconds, tries + 2, self._limits.retries + 1
        )
        self._clock.sleep(stop, seconds)

    def _read(self, path: str, reply: _Reply) -> Mapping[str, Any]:
        try:
            answer = json.loads(reply.said)
        except ValueError:
            raise self.wrong(f"{path} did not answer with JSON", reply.said) from None
        if not isinstance(answer, dict):
            raise self.wrong(f"{path} did not answer with a JSON object", answer)
        return answer

    def _refusal(self, path: str, reply: _Reply) -> RunError:
        asked = f"{self.url}/{path} (model {self.model})"
        if reply.status in (401, 403):
            held = "which holds a key" if self._key else "which is not set"
            return RunError(
                f"{asked} refuses us: {reply.told()}. The key was looked for in the environment variable {self._key_env}, {held}. "
                "Set it, or name another one: method.key_env=NAME"
            )
        told = reply.told()
        message = f"{asked} refuses the request: {told}. See method.url and method.model"
        return RefusedError(message, reply.status or 0, told)

    def _gave_up(self, path: str, reply: _Reply) -> RunError:
        times = f"{self._limits.retries + 1} times" if self._limits.retries else "once"
        return RunError(
            f"{self.url}/{path} (model {self.model}) was asked {times}; the last time: {reply.told()}. Is the server up and the url "
            "right? More patience: method.retries, method.timeout; fewer requests: method.per_minute, method.parallel"
        )

    def _safe(self, text: str) -> str:
        """Without the key, which a server may repeat."""
        return text.replace(self._key, "***") if self._key else text


def checked_url(url: str) -> str:
    """The base address without a slash at its end. Raises `ConfigError` if it is none, or holds credentials, which it does not show."""
    try:
        parts = urllib.parse.urlsplit(url.strip())
        host, user = parts.hostname, parts.username or parts.password
        parts.port  # noqa: B018 - it raises for a port that is none
    except ValueError as error:
        raise ConfigError([Fault("method.url", f"is no address: {error}")]) from None
    if user or parts.query or parts.fragment:
        problem = "holds more than an address (a user, a password or a query). A key comes from the environment alone: method.key_env"
        raise ConfigError([Fault("method.url", f"the one of {host} {problem}")])
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError([Fault("method.url", f"must be like http://localhost:8000/v1; found '{url}'")])
    return url.strip().rstrip("/")


def _open_road(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def _key(key_env: str) -> str:
    key = os.environ.get(key_env, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError([Fault("method.key_env", f"what the environment variable {key_env} holds is no key")])
    return key


def _retry_after(value: str | None, clock: Clock) -> float | None:
    """Seconds from a number or a date (RFC 9110, 10.2.3); None if it says nothing that can be read."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - clock.wall())
    except ValueError:
        return None
