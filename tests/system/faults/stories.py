"""What may be going on when the power, the disk or the program fails; and what each ending then has to mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from system.faults import acts, tracer
from system.faults.acts import Act
from system.faults.scene import Scene, build
from system.faults.tracer import GO_ON


@dataclass(frozen=True, slots=True)
class Story:
    """*act* is done to the scene that *prepare* gives. *ends*: the pair of files that each ending promises.

    An ending that is not there must not come; None: what the history says. *late*: the time to confirm is over.
    """

    name: str
    prepare: Callable[[Path], Scene]
    act: Act
    ends: Mapping[str, str | None] = field(default_factory=dict)
    late: bool = False


def done(place: Scene, act: Act) -> None:
    """Do *act* to *place*, undisturbed."""
    tracer.run(lambda channel: act(place, channel), lambda _: GO_ON, place.postfix.serve)


def fresh(folder: Path) -> Scene:
    place = build(folder / "scene")
    acts.commands(place)
    return place


def stopped(folder: Path) -> Scene:
    """Somebody had stopped Postfix: nothing of ours may start it."""
    place = build(folder / "scene", ran=False)
    acts.commands(place)
    return place


def bad_news(folder: Path) -> Scene:
    """Postfix does not start with the new files."""
    place = fresh(folder)
    place.postfix.sick = {"new"}
    return place


def applied(folder: Path) -> Scene:
    place = fresh(folder)
    done(place, acts.apply)
    return place


def old_is_bad(folder: Path) -> Scene:
    """Applied; and since then something else has come that the old files do not start with."""
    place = applied(folder)
    place.postfix.sick = {"old"}
    return place


def on_trial_and_old_is_bad(folder: Path) -> Scene:
    place = on_trial(folder)
    place.postfix.sick = {"old"}
    return place


def on_trial(folder: Path) -> Scene:
    place = fresh(folder)
    done(place, acts.apply_on_trial)
    return place


def rebooted(folder: Path) -> Scene:
    """On trial when the machine went down: Postfix is not started yet."""
    place = on_trial(folder)
    place.postfix.runs = False
    return place


_APPLIED = {"kept": "new", "rolled-back": "old", "refused": "old"}
_TRIED = {"trial": "new", "rolled-back": "old", "refused": "old"}
_UNDONE = {"undone": "old", "refused": "new"}
# What an interrupted undo goes back to is the change: so what a recovery promises is what the history says.
_RECOVERED = {"taken-back": None, "nothing": None, "refused": None}

# undo.sh tells by its exit status, 4 where it could not put a file back; but to sh what cannot be looked at is not
# there, so that on a bad disk its 0 promises nothing: the next command looks again.
_BY_SCRIPT = {"status 0": None, "status 1": None, "status 2": None, "status 4": None, "nothing": None}

STORIES = {
    story.name: story
    for story in (
        Story("apply", fresh, acts.apply, _APPLIED),
        Story("apply-to-stopped", stopped, acts.apply, _APPLIED),
        Story("roll-back", bad_news, acts.apply, {"rolled-back": "old", "refused": "old"}),
        Story("apply-on-nfs", fresh, acts.without_exchange(acts.apply), _APPLIED),
        Story("try", fresh, acts.apply_on_trial, _TRIED),
        Story("confirm", on_trial, acts.confirm, {"kept": "new", "refused": "new"}),
        Story("auto-revert", on_trial, acts.recover_late, _RECOVERED, late=True),
        Story("undo.sh-at-boot", rebooted, acts.script("boot"), _BY_SCRIPT, late=True),
        Story("undo.sh-by-hand", on_trial, acts.script("now"), _BY_SCRIPT, late=True),
        Story("undo", applied, acts.undo, _UNDONE),
        Story("undo-rolls-back", old_is_bad, acts.undo, {"refused": "new"}),
        Story("undo-of-trial-rolls-back", on_trial_and_old_is_bad, acts.undo, {"refused": "new"}),
        Story("undo-of-trial", on_trial, acts.undo, _UNDONE),
    )
}
NAIVE = {
    story.name: story
    for story in (
        Story("naive", fresh, acts.naive, _APPLIED),
        Story("by-rename", fresh, acts.by_rename, _APPLIED),
    )
}


def recovery_of(story: Story, decide: Callable[[Scene], tracer.Decide]) -> Story:
    """The recovery of *story*, which was killed as *decide* says: to be hurt itself."""

    def prepare(folder: Path) -> Scene:
        place = story.prepare(folder)
        tracer.run(lambda channel: story.act(place, channel), decide(place), place.postfix.serve)
        place.postfix.hear(place.root, place.postfix.serve)  # before anybody else speaks to it
        return place

    recover = acts.recover_late if story.late else acts.recover
    return Story(f"recovery of {story.name}", prepare, recover, _RECOVERED, story.late)
