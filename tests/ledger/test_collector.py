"""The search for garbage is put off while entries are read, and goes on afterwards whatever happened."""

from __future__ import annotations

import gc
import threading

import pytest

from retrain.ledger.collector import put_off


def test_it_goes_on_when_the_last_reader_is_done_however_that_ended() -> None:
    assert gc.isenabled()
    inside, leave = threading.Event(), threading.Event()

    def read() -> None:
        with put_off():
            inside.set()
            leave.wait(30)

    def fail() -> None:
        with put_off():
            other.start()
            assert inside.wait(30)
            raise RuntimeError("an entry is broken")

    other = threading.Thread(target=read)
    with pytest.raises(RuntimeError, match="broken"):
        fail()
    assert not gc.isenabled(), "another one still reads"
    leave.set()
    other.join()
    assert gc.isenabled()


def test_who_has_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with put_off():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
