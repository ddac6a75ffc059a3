import dataclasses
import email.utils
import logging
import signal
import threading
import time

import pytest

from mtl_cli.errors import ConfigError, RunError
from mtl_cli.zeroshot.remote.client import Client, Clock, Limits, RefusedError, checked_url
from tests.zeroshot.remote.server import half, raw, serving, silent, status

LIMITS = Limits(timeout=5.0, retries=3, per_minute=None, parallel=4)
BODY = {"prompt": "x a", "echo": True}


class FakeClock:
    """Time that passes while someone sleeps; the event that stops a sleeper is not looked at."""

    def __init__(self, jitter=0.0):
        self.time, self.slept, self._jitter, self._lock = 1000.0, [], jitter, threading.Lock()

    def sleep(self, _, seconds):
        with self._lock:
            self.slept.append(round(seconds, 6))
            self.time += seconds

    @property
    def clock(self):
        return Clock(now=lambda: self.time, wall=lambda: self.time, sleep=self.sleep, jitter=lambda: self._jitter)


def client(url, fake=None, key_env="MTL_TEST_KEY", **limits):
    return Client(url, "tiny", key_env, dataclasses.replace(LIMITS, **limits), (fake or FakeClock()).clock)


def failed(message, url, kind=RunError, **limits):
    with pytest.raises(kind, match=message) as caught:
        client(url, **limits).post("completions", BODY)
    return str(caught.value)


# Order and speed


def test_answers_stand_in_the_order_of_the_questions_whichever_comes_first():
    with serving(delay=lambda body: 0.02 * (7 - int(body["prompt"].split()[1]))) as server:
        found = client(server.url).post_all("completions", [{"prompt": f"p {i}", "echo": True} for i in range(8)])
        order = [body["prompt"] for body in server.bodies()]
    assert [answer["choices"][0]["text"] for answer in found] == [f"p {i} the" for i in range(8)]
    assert sorted(order) == [f"p {i}" for i in range(8)]
    assert {body["model"] for body in server.bodies()} == {"tiny"}


def test_several_requests_are_under_way_at_once_over_connections_that_are_kept():
    barrier = threading.Barrier(4, timeout=5)
    with serving(delay=lambda _: barrier.wait() * 0.0) as server:
        one = client(server.url)
        for _ in range(3):
            one.post_all("completions", [BODY] * 4)
        assert server.connections == 4


def test_no_more_requests_start_in_a_minute_than_are_allowed():
    fake = FakeClock()
    with serving() as server:
        client(server.url, fake, per_minute=30.0, parallel=1).post_all("completions", [BODY] * 5)
    assert fake.slept == [2.0] * 4
    assert fake.time == 1008.0


# Failures that pass


@pytest.mark.parametrize("wrong", [status(500), status(503), status(429), status(408), half])
def test_what_passes_is_tried_again_after_longer_and_longer_waits(wrong):
    fake = FakeClock()
    with serving(script=[wrong] * 3) as server:
        (answer,) = client(server.url, fake).post_all("completions", [BODY])
    assert answer["choices"][0]["text"] == "x a the"
    assert fake.slept == [0.5, 1.0, 2.0]
    assert len(server.seen) == 4


def test_chance_shortens_a_wait_by_up_to_half():
    fake = FakeClock(jitter=1.0)
    with serving(script=[status(500)] * 3) as server:
        client(server.url, fake).post("completions", BODY)
    assert fake.slept == [0.25, 0.5, 1.0]


def test_a_silent_server_is_asked_again_and_given_up():
    with serving(script=[silent(0.5)]) as server:
        assert client(server.url, timeout=0.1).post("completions", BODY)["choices"]
    with serving(script=[silent(0.5)] * 2) as server:
        failed(
            r"v1/completions \(model tiny\) was asked 2 times; the last time: no answer in 0.1 s",
            server.url,
            timeout=0.1,
            retries=1,
        )


def test_the_server_says_how_long_to_wait():
    fake = FakeClock()
    date = email.utils.formatdate(1000.0 + 17.0 + 7.0)
    with serving(
        script=[status(429, Retry_After="7"), status(503, Retry_After=date), status(429, Retry_After="soon")]
    ) as server:
        client(server.url, fake).post("completions", BODY)
    assert fake.slept == [7.0, 17.0, 2.0]


def test_all_requests_wait_when_one_is_told_to():
    fake = FakeClock()
    with serving(script=[status(429, Retry_After="7")]) as server:
        client(server.url, fake, parallel=1).post_all("completions", [BODY] * 2)
    assert fake.time >= 1007.0
    with serving(script=[status(429, Retry_After="3600")]) as server:
        message = failed(r"asks to wait 3,600 s \(HTTP 429: .*Come back later", server.url)
        assert "cache=true" in message


def test_a_server_that_always_fails_is_given_up_and_the_error_tells_all():
    with serving(script=[status(500, "out of " + "memory " * 100)] * 9) as server:
        message = failed(
            r"v1/completions \(model tiny\) was asked 4 times; the last time: HTTP 500: .*out of memory", server.url
        )
        assert len(server.seen) == 4
    assert "method.retries" in message
    assert len(message) < 700
    message = failed(
        r"was asked once; the last time: .*Is the server up and the url right", "http://127.0.0.1:9/v1", retries=0
    )
    assert "refused" in message


# Failures that stay


@pytest.mark.parametrize("code", [400, 404, 422])
def test_a_refusal_is_not_tried_again(code):
    with serving(script=[status(code, "no such model")]) as server:
        message = failed(rf"refuses the request: HTTP {code}: .*no such model", server.url, kind=RefusedError)
        assert len(server.seen) == 1
    assert "method.url and method.model" in message


def test_a_refusal_that_is_called_an_error_of_the_server_is_one():
    with serving(script=[status(500, "Only no echo is supported")]) as server:
        failed("Only no echo is supported", server.url, kind=RefusedError)


def test_another_address_is_told_and_not_followed():
    with serving(script=[status(301, Location="http://elsewhere/v1")]) as server:
        failed("HTTP 301: moved to http://elsewhere/v1", server.url)
        assert len(server.seen) == 1


@pytest.mark.parametrize("content", [b'{"choices": [', [1, 2], b""])
def test_an_answer_that_is_no_json_object_is_shown(content):
    with serving(script=[raw(content)]) as server:
        failed(
            r"model tiny\) gave an answer that cannot be used: completions did not answer with (a )?JSON.*It begins: ",
            server.url,
        )
        assert len(server.seen) == 1


# The key


def test_the_key_comes_from_the_environment_and_is_never_shown(monkeypatch, caplog):
    monkeypatch.setenv("MTL_TEST_KEY", "sk-secret")
    caplog.set_level(logging.DEBUG)
    with serving(script=[status(429, "you sent sk-secret"), status(401, "wrong key: sk-secret")]) as server:
        message = failed(r"refuses us: HTTP 401: .*wrong key: \*\*\*", server.url)
        assert [headers["Authorization"] for _, _, headers in server.seen] == ["Bearer sk-secret"] * 2
        client(server.url).post("completions", BODY)
    assert "looked for in the environment variable MTL_TEST_KEY, which holds a key" in message
    assert "again in" in caplog.text
    assert "sk-secret" not in message + caplog.text
    assert "sk-secret" not in repr(vars(client("http://localhost:1/v1"))).replace("'_key': 'sk-secret'", "")


@pytest.mark.parametrize("code", [401, 403])
def test_a_server_without_a_key_gets_none_and_one_that_wants_one_is_told(monkeypatch, code):
    monkeypatch.delenv("MTL_TEST_KEY", raising=False)
    with serving() as server:
        client(server.url).post("completions", BODY)
        assert "Authorization" not in server.seen[0][2]
        server.script = [status(code, "no")]
        failed(
            rf"HTTP {code}.*environment variable MTL_TEST_KEY, which is not set. Set it, or name another one",
            server.url,
        )


def test_a_key_that_cannot_be_sent_is_refused_unshown(monkeypatch):
    monkeypatch.setenv("MTL_TEST_KEY", "sk\nsecret")
    with pytest.raises(ConfigError, match="environment variable MTL_TEST_KEY holds is no key") as caught:
        client("http://localhost:1/v1")
    assert "secret" not in str(caught.value)


def test_a_key_on_an_open_road_is_warned_of(monkeypatch, caplog):
    monkeypatch.setenv("MTL_TEST_KEY", "sk-secret")
    client("http://localhost:1/v1")
    client("https://api.example.org/v1")
    assert caplog.text == ""
    client("http://api.example.org/v1")
    assert "the key in MTL_TEST_KEY is sent to http://api.example.org/v1 without encryption" in caplog.text


@pytest.mark.parametrize(
    "url", ["http://me:pw@host/v1", "https://tok@host/v1", "https://host/v1?key=pw", "https://host/v1#pw"]
)
def test_an_address_with_credentials_is_refused_unshown(url):
    with pytest.raises(
        ConfigError, match=r"method\.url: the one of host holds more than an address .*method\.key_env"
    ) as caught:
        checked_url(url)
    assert "pw" not in str(caught.value)
    assert "tok" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://", "http://host:port/v1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ConfigError, match=r"method\.url: (must be like http://localhost:8000/v1; found|is no address)"):
        checked_url(url)
    assert checked_url(" http://host:1/v1/ ") == "http://host:1/v1"


# Stopping


@pytest.fixture
def interruptible():
    """A worker of a parallel test run takes no notice of the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_is_not_held_up_by_a_silent_server():
    with serving(script=[silent(3.0)] * 4) as server:
        one = Client(server.url, "tiny", "MTL_TEST_KEY", LIMITS)
        threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            one.post_all("completions", [BODY] * 20)
        assert time.monotonic() - began < 1.5
        time.sleep(0.1)
        assert len(server.seen) == 4, "nothing more is asked"


def test_after_a_failure_nothing_more_is_asked():
    with serving(script=[status(400)]) as server:
        with pytest.raises(RefusedError):
            client(server.url, parallel=1).post_all("completions", [BODY] * 50)
        time.sleep(0.1)
        assert len(server.seen) <= 2
