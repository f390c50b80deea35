"""An act in a process of its own, stopped before every file-system call: let go on, made to fail, or killed there.

seccomp_unotify(2): the kernel itself stops the process at the call and asks us. What is seen is what really goes
to the file system, whatever library made it, and no byte of the program under test is changed.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from system.faults.calls import Call, NotHere, machine, read_call

KILL = -1
GO_ON = 0

_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # ioctls of <linux/seccomp.h>
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")  # id, pid, flags; nr, arch, instruction pointer, arguments
_ANSWER = struct.Struct("=QqiI")  # id, value, error, flags
_CONTINUE = 1
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_NEW_LISTENER = 1 << 3
_NO_NEW_PRIVS, _PARENTS_DEATH = 38, 1  # prctl(2)

Decide = Callable[[Call], int]
Serve = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Ended:
    """How an act ended: its *answer* (None where it gave none), the *calls* that were decided on, in order.

    *status* is as os.waitstatus_to_exitcode gives it. The last call of one that was *killed* was not made.
    """

    answer: Any
    calls: tuple[Call, ...]
    killed: bool
    status: int


@dataclass
class Channel:
    """What an act talks to the other side with: neither end of it is a file."""

    socket: socket.socket

    def ask(self, request: str) -> Any:
        """The answer of `serve` to *request*; the act stands still until it comes."""
        self.socket.send(json.dumps(request).encode())
        return json.loads(self.socket.recv(1 << 16))


@dataclass
class _Side:
    """The side that decides: *listener* is the kernel's, *messages* the act's own."""

    pid: int
    listener: int
    messages: socket.socket
    decide: Decide
    serve: Serve
    calls: list[Call] = field(default_factory=list)
    answer: Any = None
    killed: bool = False

    def watch(self) -> None:
        """Answer calls and messages until the process is gone."""
        ended = os.pidfd_open(self.pid)
        poll = select.poll()
        for fd in (ended, self.listener, self.messages.fileno()):
            poll.register(fd, select.POLLIN)
        try:
            while True:
                ready = dict(poll.poll())
                if ready.get(self.messages.fileno(), 0) & select.POLLIN:
                    self._message(json.loads(self.messages.recv(1 << 20) or b"null"), poll)
                elif ready.get(self.listener, 0) & select.POLLIN:
                    self._call()
                elif ended in ready:
                    return
                for fd, events in ready.items():
                    if events & (select.POLLHUP | select.POLLNVAL) and not events & select.POLLIN:
                        poll.unregister(fd)
        finally:
            os.close(ended)

    def _message(self, message: Any, poll: select.poll) -> None:
        if message is None:
            poll.unregister(self.messages.fileno())
        elif isinstance(message, dict):
            self.answer = message["answer"]
        else:
            verb = str(message)
            if self._decided(Call(verb, ())) != GO_ON:
                return self._kill()
            answer = self.serve(verb)
            if self._decided(Call(f"{verb}: done", ())) != GO_ON:
                return self._kill()
            self.messages.send(json.dumps(answer).encode())
        return None

    def _call(self) -> None:
        buffer = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self.listener, _RECEIVE, buffer)
        except OSError:  # it died meanwhile
            return None
        number, pid, _, call, _, _, *arguments = _NOTIFICATION.unpack(buffer)
        try:
            decision = self._decided(read_call(pid, call, tuple(arguments)))
        except OSError:
            decision = GO_ON
        if decision == KILL:
            return self._kill(pid)
        flags = 0 if decision else _CONTINUE
        try:
            fcntl.ioctl(self.listener, _SEND, bytearray(_ANSWER.pack(number, 0, -decision, flags)))
        except OSError:
            return None
        return None

    def _decided(self, call: Call) -> int:
        self.calls.append(call)
        return self.decide(call)

    def _kill(self, caller: int | None = None) -> None:
        """End the act, and the process of its that is stopped in the call."""
        self.killed = True
        for pid in {self.pid, caller or self.pid}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def run(act: Callable[[Channel], Any], decide: Decide, serve: Serve) -> Ended:
    """Run *act* in a child of this process; *decide* says of each of its calls GO_ON, KILL, or an errno.

    *act* returns what json can carry, or replaces itself by another program. A message of its own (`Channel.ask`)
    counts as two calls, one before it is served and one after; any decision but GO_ON kills there. NotHere where
    the kernel does not do this.
    """
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        _child(act, here, there)
    there.close()
    # Given once the filter stands: what the child does before is not the program's doing.
    first, listeners, _, _ = socket.recv_fds(here, 200, 1)
    if not listeners:
        os.waitpid(pid, 0)
        raise NotHere(f"seccomp_unotify(2): {first.decode() or 'the child died'}")
    side = _Side(pid, listeners[0], here, decide, serve)
    try:
        side.watch()
    finally:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(side.listener)
        here.close()
    return Ended(side.answer, tuple(side.calls), side.killed, os.waitstatus_to_exitcode(status))


def _child(act: Callable[[Channel], Any], here: socket.socket, there: socket.socket) -> None:
    try:
        here.close()
        try:
            listener = _install()
        except (OSError, NotHere) as reason:
            there.send(str(reason).encode())
            os._exit(1)
        socket.send_fds(there, [b"ready"], [listener])
        os.close(listener)
        try:
            answer = act(Channel(there))
        except BaseException:
            answer = {"crash": traceback.format_exc()}
        there.send(json.dumps({"answer": answer}).encode())
    finally:
        os._exit(0)


def _install() -> int:
    """Ask the other side before each of the known calls, from now on and in every process begun from here."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PARENTS_DEATH, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    architecture, seccomp, numbers = machine()
    program = _filter(architecture, sorted(numbers.values()))
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    descriptor = libc.syscall(seccomp, 1, _NEW_LISTENER, ctypes.create_string_buffer(header, len(header)))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(descriptor)


def _filter(architecture: int, numbers: list[int]) -> bytes:
    """A classic BPF program: these calls are asked about, all others allowed (<linux/filter.h>)."""

    def step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("=HBBI", code, then, otherwise, value)

    load, equal, give = 0x20, 0x15, 0x06
    count = len(numbers)
    compared = (step(equal, number, then=count - index) for index, number in enumerate(numbers))
    return b"".join((
        step(load, 4),
        step(equal, architecture, then=1),
        step(give, _ALLOW),
        step(load, 0),
        *compared,
        step(give, _ALLOW),
        step(give, _ASK),
    ))  # fmt: skip
