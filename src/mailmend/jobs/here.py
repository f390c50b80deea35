"""This host as a job sees it: a remembering probe, the history, the way Postfix is activated."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.model import Activation, CannotLook, FileEdit, MailmendError, Refused
from mailmend.places import STATE
from mailmend.questions import Host, HostFacts, Setting
from mailmend.system.probe import Recorded, Remembering

if TYPE_CHECKING:
    from mailmend.system.follow import Place
    from mailmend.system.guard import Guard

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """Progress for nobody."""


@dataclass(frozen=True, slots=True)
class Here:
    """*config_directory* None is Postfix's own default; *state* holds history and locks."""

    probe: Remembering | Recorded
    config_directory: str | None = None
    state: Path = STATE

    def host(self) -> HostFacts:
        """Which machine this is; raises CannotLook where even that cannot be seen."""
        seen = self.probe.ask(Host())
        if seen.answer is None:
            raise CannotLook(f"this host cannot be looked at: {seen.error}")
        return seen.answer

    def require_postfix(self) -> None:
        """Raise CannotLook, in one line, where there is no readable Postfix."""
        seen = self.probe.ask(Setting("mail_version"))
        if seen.answer is None or not seen.answer.value:
            raise CannotLook(seen.error or "Postfix does not say its version", "")

    def log(self) -> Place:
        """The log that Postfix really writes; CannotLook where there is none."""
        from mailmend.system.follow import place

        seen = self.probe.ask(Setting("maillog_file"))
        return place((seen.answer.value or "") if seen.answer else "")

    def save(self, path: Path, *, redacted: bool = False) -> None:
        """Write down every question asked so far with its answer: for a replay, or *redacted* to be given away."""
        from mailmend.system.recording import bundle, dump

        if isinstance(self.probe, Recorded):
            raise Refused("a replay asks nothing new, so there is nothing to record")
        recording = self.probe.recording()
        text = bundle(recording) if redacted else dump(recording)
        # It holds configuration and addresses: for its owner's eyes.
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
        except OSError as failure:
            raise Refused(f"{path} cannot be written: {failure.strerror}") from None

    def guard(self) -> Guard:
        """What takes a change back where the program that makes it dies, with this host's commands."""
        from mailmend.system import activation
        from mailmend.system.guard import Guard

        activator = activation.detect(self.probe)
        return Guard(self.state, activator.stop, activator.start, activator.reload, activator.unit)

    def require_activation(self, kind: Activation, files: Iterable[FileEdit] = ()) -> None:
        """Raise Refused, before anything is touched, where *kind* cannot be done from here: a container's process 1.

        Nor what another daemon that reads one of *files* needs.
        """
        from mailmend.system import activation, beside

        beside.require(edit.path for edit in files)
        if kind in ("reload", "restart"):
            activation.detect(self.probe).require(kind)

    def activate(self, kind: Activation, files: Iterable[FileEdit] = ()) -> None:
        """Bring what is saved to the running server, the way this host does it, and see it happen.

        What reads one of *files* besides Postfix is started anew first: Postfix may ask it at once.
        """
        from mailmend.system import activation, beside

        trouble = None
        try:
            beside.restart(edit.path for edit in files)
        except MailmendError as failure:
            trouble = failure
        # Going back, Postfix has to follow its own files whatever became of the other daemon.
        activation.detect(self.probe).activate(kind)
        if trouble is not None:
            raise trouble


def here(config_directory: str | None = None, state: Path | None = None, replay: Path | None = None) -> Here:
    """This host, looked at afresh; with *replay*, the host whose looks were saved there."""
    if replay is not None:
        from mailmend.system.recording import load

        answers = load(replay.read_text("utf-8", "surrogateescape"))
        return Here(Recorded(answers), config_directory, state or STATE)
    from mailmend.system.live import live

    return Here(Remembering(live(config_directory)), config_directory, state or STATE)


def require_root(act: str) -> None:
    """Changing Postfix is root's business, by code that nobody else can change; said before anything is planned."""
    if os.geteuid() != 0:
        raise Refused(f"{act} needs root", "run it with sudo")
    from mailmend.system.code import open_to_others

    place = open_to_others()
    if place:
        raise Refused(
            f"{place} can be written by others than root and you, and would run as root",
            "install mailmend where only root writes, or take that permission away",
        )


_ACTING: ContextVar[str | None] = ContextVar("_ACTING", default=None)


@contextmanager
def acting_for(name: str) -> Iterator[None]:
    """What is done meanwhile is done for *name*, who did not start this process."""
    token = _ACTING.set(name)
    try:
        yield
    finally:
        _ACTING.reset(token)


def operator() -> str:
    """Who runs this: the person behind sudo, where there is one; for whom it is done, where that is told."""
    return _ACTING.get() or os.environ.get("SUDO_USER") or getpass.getuser()
