"""What is done to the server of a scene, by the real transaction and recovery, as one program each.

Every act returns what the program would have told a person, in one word (`says`) and in a line (`line`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from mailmend.model import (
    Activation,
    Change,
    Expectation,
    Judgement,
    MailmendError,
    Plan,
    Proof,
    Proposal,
    Record,
    Refused,
)
from mailmend.places import trial
from mailmend.system import boot, detached, guard, recovery, rename, transaction
from mailmend.system.activation import Stopped
from mailmend.system.backwards import Conflict
from mailmend.system.guard import Guard
from mailmend.system.history import History
from mailmend.system.old_state import Degraded
from mailmend.system.probe import now
from system.faults.scene import Scene, dress
from system.faults.tracer import Channel

Act = Callable[[Scene, Channel], dict[str, Any]]

_HOLDS = Expectation("running", "running-since", "master", None, "Postfix runs on its files")
_SCRIPT = """\
case $1 in
stop) echo stop >>{root}/asked ;;
*) rm -rf {root}/read && cp -r {root}/etc {root}/read && echo "$1" >>{root}/asked ;;
esac
"""


def plan(scene: Scene) -> Plan:
    change = Change("setting", "inet_protocols", "all", "ipv4", "restart")
    chosen = Proposal("ipv4-only", "contains", (change,))
    return Plan(chosen, (), scene.edits(), "the difference", "0" * 64, reason="measured")


def apply(scene: Scene, channel: Channel) -> dict[str, Any]:
    """`kept` or `rolled-back`."""
    return _apply(scene, channel, None)


def apply_on_trial(scene: Scene, channel: Channel) -> dict[str, Any]:
    """`trial` or `rolled-back`."""
    return _apply(scene, channel, timedelta(minutes=2))


def _apply(scene: Scene, channel: Channel, confirm_within: timedelta | None) -> dict[str, Any]:
    def applied() -> dict[str, Any]:
        done = transaction.apply(
            plan(scene),
            activate=lambda kind: _activate(channel, kind if scene.ran else "none"),
            prove=lambda: _prove(channel, "new", scene.ran),
            prove_old=lambda: _prove(channel, "old", scene.ran),
            history=History(scene.state),
            by="root",
            expectations=(_HOLDS,),
            old=(_HOLDS,),
            ran=scene.ran,
            confirm_within=confirm_within,
            guard=_guard(scene, channel),
            wait=0.2,
        )
        return {"says": "rolled-back" if done.rolled_back else done.record.state, "line": done.says}

    return _told(applied)


def undo(scene: Scene, channel: Channel) -> dict[str, Any]:
    """`undone`."""

    def undone() -> dict[str, Any]:
        history = History(scene.state)
        record = next((r for r in history.records() if r.undoes is None), None)
        if record is None:
            raise Refused("there is nothing to undo")
        done = transaction.undo(
            record,
            activate=lambda kind: _activate(channel, kind),
            prove=lambda: _prove(channel, "old"),
            prove_old=lambda: _prove(channel, "new"),
            history=history,
            by="root",
            old=(_HOLDS,),
            guard=_guard(scene, channel),
            wait=0.2,
        )
        return {"says": done.record.state, "line": done.says}

    return _told(undone)


def confirm(scene: Scene, channel: Channel) -> dict[str, Any]:
    """`kept`."""
    return _told(
        lambda: {
            "says": transaction.confirm(History(scene.state), _guard(scene, channel), wait=0.2).state,
            "line": "",
        }
    )


def recover(scene: Scene, channel: Channel) -> dict[str, Any]:
    """`nothing`, `taken-back`, `conflict` or `degraded`."""

    def recovered() -> dict[str, Any]:
        if not _left_open(scene):
            return {"says": "nothing", "line": ""}
        means = recovery.Means(
            lambda _, kind: _activate(channel, kind),
            lambda record, _: _prove(channel, "new" if record.undoes else "old"),
            _guard(scene, channel),
        )
        found = recovery.recover(History(scene.state), means, wait=0.2)
        return {"says": found[0].outcome, "line": found[0].says} if found else {"says": "nothing", "line": ""}

    return _told(recovered)


def without_exchange(act: Act) -> Act:
    """The same on a file system that cannot exchange two names (NFS)."""

    def done(scene: Scene, channel: Channel) -> dict[str, Any]:
        rename._renameat2 = _unsupported
        return act(scene, channel)

    return done


def _unsupported(old: Path, new: Path, flags: int) -> None:
    raise rename.Unsupported(errno.EINVAL, "Invalid argument", str(new))


def recover_late(scene: Scene, channel: Channel) -> dict[str, Any]:
    """The same, when the time for a confirmation is over."""
    boot.left = lambda _: 0.0
    return recover(scene, channel)


def script(word: str) -> Act:
    """undo.sh with *word*, where there is one: it takes the place of the act, and ends as it ends."""

    def run(scene: Scene, _: Channel) -> dict[str, Any]:
        path = scene.state / "trial/undo.sh"
        if not os.access(path, os.R_OK):
            return {"says": "nothing", "line": "there is no undo.sh"}
        null = os.open("/dev/null", os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        return os.execv("/bin/sh", ["sh", str(path), word])  # noqa: S606

    return run


def naive(scene: Scene, channel: Channel) -> dict[str, Any]:
    """What many a script does: the files written over, Postfix restarted, a note about it."""
    for edit in scene.edits():
        Path(edit.path).write_bytes((edit.after or "").encode("utf-8", "surrogateescape"))
    return _noted(scene, channel)


def by_rename(scene: Scene, channel: Channel) -> dict[str, Any]:
    """What better scripts do: each file renamed into place whole. Nothing is flushed, nothing holds both."""
    for edit in scene.edits():
        path = Path(edit.path).resolve()
        spare = path.with_name(path.name + ".spare")
        spare.write_bytes((edit.after or "").encode("utf-8", "surrogateescape"))
        dress(spare, path.name.replace(".real", ""))
        spare.rename(path)
    return _noted(scene, channel)


def _noted(scene: Scene, channel: Channel) -> dict[str, Any]:
    _activate(channel, "restart")
    entry = "20261122-130501-naive"
    History(scene.state).add(Record(entry, now(), "root", None, "", "kept", scene.edits(), "restart", "", ""))
    return {"says": "kept", "line": ""}


def _left_open(scene: Scene) -> bool:
    """What the start of every command asks."""
    try:
        return trial(scene.state).exists()
    except OSError:
        return False


def _told(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return act()
    except (Conflict, Degraded) as trouble:
        return {"says": type(trouble).__name__.lower(), "line": str(trouble)}
    except MailmendError as refused:
        return {"says": "refused", "line": str(refused)}


def _activate(channel: Channel, kind: Activation) -> None:
    if kind == "none":
        return
    if kind == "restart":
        channel.ask("stop")
    failed = channel.ask("start" if kind == "restart" else kind)
    if failed:
        raise Stopped(str(failed), "postfix start")


def _prove(channel: Channel, which: str, ran: bool = True) -> Proof:
    seen = channel.ask("look")
    holds = seen == {"runs": True, "loaded": which} if ran else not seen["runs"]
    return Proof((Judgement(_HOLDS, "holds" if holds else "fails", says=str(seen)),), now())


def _guard(scene: Scene, channel: Channel) -> Guard:
    """The real guard, but for the process that it starts and the systemd that it tells."""
    detached.SYSTEMD = Path("/")
    guard.UNITS = scene.units
    guard._reload_systemd = lambda: None
    program = scene.root / "postfix.sh"
    stop, start, reload = (("/bin/sh", str(program), word) for word in ("stop", "start", "reload"))
    return Guard(scene.state, stop, start, reload, launch=lambda *_: channel.ask("guard"))


def commands(scene: Scene) -> None:
    """Lay out the program that undo.sh activates Postfix with; `Postfix.hear` then learns what it was asked."""
    (scene.root / "postfix.sh").write_text(_SCRIPT.format(root=scene.root))
