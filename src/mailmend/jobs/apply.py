"""apply: the running server is brought to what is saved, with the least activation that does it.

For whoever edited main.cf, Webmin's Apply among them: a reload where a reload is enough, stop and start
where only that takes effect, nothing where all is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from mailmend.jobs.here import Here, Progress, require_root, silent
from mailmend.jobs.unloaded import named
from mailmend.model import Activation, FileEdit, Finding, Proof, Refused, Scope
from mailmend.questions import File, Master, Now
from mailmend.road import verify
from mailmend.road.edits import config_directory, difference, digest

CHECKS = ("loaded", "listeners")
NEEDS: dict[str, Activation] = {"saved-not-loaded": "reload", "loaded-not-restarted": "restart"}


@dataclass(frozen=True, slots=True)
class Applied:
    """*activation* is what was done; *findings* why."""

    activation: Activation
    findings: tuple[Finding, ...]
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Unapplied:
    """What is saved and does not run: *activation* brings it to the running server, *findings* say why.

    *files* are main.cf and master.cf as they are (before is after), *digest* covers them and what is to be done.
    """

    activation: Activation
    findings: tuple[Finding, ...]
    files: tuple[FileEdit, ...]
    digest: str


def planned(here: Here) -> Unapplied:
    """What `apply` would do now; nothing is done. Raises as it does."""
    here.require_postfix()
    return _looked(here)


def since_ours(here: Here, files: tuple[FileEdit, ...]) -> str:
    """What others have made of *files* since we wrote them last; "" where the history does not know.

    What runs is not to be had from Postfix: what we saved and proved last is the next best.
    """
    from mailmend.system.history import History

    edits = []
    records = History(here.state).records()
    for file in files:
        ours = (
            e.after for r in records if r.state in ("kept", "trial") for e in r.files if e.path == file.path
        )
        last = next(ours, file.after)
        edits.append(FileEdit(file.path, last, file.after))
    return difference(edits)


def apply(
    here: Here, *, approve: Callable[[Unapplied], None] | None = None, progress: Progress = silent
) -> Applied:
    """Validate what is saved, activate it, prove it. *approve* raises where what would be activated must not be.

    Raises Refused where it would not run, where a change of ours was interrupted (what is saved may be half
    of it), and where Postfix does not run: whoever stopped it may have had a reason.
    """
    from mailmend.system.history import History
    from mailmend.system.transaction import WAIT, alone

    require_root("activating Postfix")
    here.require_postfix()
    with alone(History(here.state), WAIT):
        return _apply(here, approve, progress)


def _looked(here: Here) -> Unapplied:
    from mailmend import catalogue
    from mailmend.model import ACTIVATIONS
    from mailmend.road.check import check

    _require_whole(here)
    modules = {name: module for name, module in catalogue.load().checks.items() if name in CHECKS}
    findings = named(here, check(here.probe, Scope(), modules))
    measured = tuple(f for f in findings if f.standing == "measured")
    if any(f.cause == "postfix-not-running" for f in measured):
        raise Refused("Postfix is not running", f"{_start(here)} starts it with what is saved")
    needed = [NEEDS[f.cause] for f in measured if f.cause in NEEDS]
    activation: Activation = max(needed, key=ACTIVATIONS.index, default="none")
    folder = config_directory(here.probe)
    saved = [
        (path, here.probe.ask(File(path)).answer) for path in (f"{folder}/main.cf", f"{folder}/master.cf")
    ]
    files = tuple(FileEdit(path, seen.text, seen.text) for path, seen in saved if seen is not None)
    return Unapplied(activation, measured, files, digest(f"apply {activation}", (), files))


def _apply(here: Here, approve: Callable[[Unapplied], None] | None, progress: Progress) -> Applied:
    from mailmend.jobs.candidate import validate_saved
    from mailmend.jobs.validate import validate

    seen = _looked(here)
    activation, measured = seen.activation, seen.findings
    if activation == "none":
        return Applied("none", measured, None)
    if approve is not None:
        approve(seen)
    progress("validating what is saved")
    validate(here.probe)
    if unseen := validate_saved(here, progress):
        progress(f"not tried on a copy: {unseen}")
    since = here.probe.ask(Now()).at - timedelta(milliseconds=100)
    progress(f"activating: {activation}")
    here.activate(activation)
    here.probe.begin("after")
    proof = verify.verify(verify.running(activation, since), here.probe)
    if not proof.holds:
        failed = next(j for j in proof.judgements if j.verdict not in ("holds", "pending"))
        raise Refused(
            f"{failed.expectation.says}: not so ({failed.says})", "postfix check, and the log, say more"
        )
    return Applied(activation, measured, proof)


def _require_whole(here: Here) -> None:
    """Raise Refused, with the commands, where a change was begun and neither kept nor taken back."""
    from mailmend.system.history import History, interruption, way_out

    interrupted = History(here.state).interrupted()
    if interrupted is None:
        return
    running = here.probe.ask(Master()).answer
    stopped = running is not None and running.pid is None
    raise Refused(
        interruption(interrupted) + (", and Postfix is not running" if stopped else ""),
        f"{way_out(interrupted)} puts it right" + (f", then {_start(here)}" if stopped else ""),
    )


def _start(here: Here) -> str:
    """The command that starts Postfix on this host."""
    from mailmend.system.activation import detect

    return " ".join(detect(here.probe).start)
