import os
import signal
import threading

import pytest

from mtl_cli.signals import stop_signals_to


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_calls_the_handler_with_its_number_and_the_old_one_comes_back(number):
    came, before = [], signal.getsignal(number)
    with stop_signals_to(came.append):
        os.kill(os.getpid(), number)
    assert came == [number]
    assert signal.getsignal(number) == before


def test_the_old_handler_comes_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)

    def refuse(number):
        raise ValueError(number)

    with pytest.raises(ValueError, match="2"), stop_signals_to(refuse):
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_another_thread_than_the_main_one_changes_no_handler():
    seen, before = [], signal.getsignal(signal.SIGINT)

    def work():
        with stop_signals_to(seen.append):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
