"""A puppet executes calls in a process of its own, and reports its death."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tests.puppets import Puppet


class Strings:
    def __init__(self) -> None:
        self.held = "a"

    def add(self, more: str) -> list[str | int]:
        self.held += more
        return [self.held, os.getpid()]

    def fail(self) -> None:
        raise LookupError(self.held)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_it_is_one_object_in_another_process() -> None:
    with Puppet(Strings) as one, Puppet(Strings) as two:
        assert one.call("add", "b") == ["ab", one.pid]
        assert one.call("add", "\n") == ["ab\n", one.pid]
        assert two.call("add", "c") == ["ac", two.pid]
        assert len({one.pid, two.pid, os.getpid()}) == 3


def test_an_exception_of_a_puppet_is_reported_and_it_goes_on() -> None:
    with Puppet(Strings) as puppet:
        with pytest.raises(AssertionError, match="LookupError: a"):
            puppet.call("fail")
        assert puppet.call("add", "b")[0] == "ab"


def test_a_death_is_noticed_beside_other_forks() -> None:
    with Puppet(Strings) as puppet, Puppet(Strings):
        with pytest.raises(AssertionError, match="the child died during die"):
            puppet.call("die")
        with pytest.raises(AssertionError, match="the child died during add"):
            puppet.call("add", "b")


def test_a_call_to_a_silent_puppet_times_out() -> None:
    with (
        Puppet(Strings) as puppet,
        pytest.raises(AssertionError, match="did not answer sleep"),
    ):
        puppet.call("sleep", 60, timeout_s=0.05)


class Parent:
    def start(self) -> int:
        self.child = Puppet(Strings)
        return self.child.pid


def test_it_ends_with_its_parent() -> None:
    with Puppet(Parent) as parent:
        child = psutil.Process(parent.call("start"))
    child.wait(10)
