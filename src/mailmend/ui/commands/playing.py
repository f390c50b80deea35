"""demo: the whole story, chapter by chapter as it is played, and whether every proof held."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailmend.model import CannotLook
from mailmend.ui import show
from mailmend.ui.encode import printable
from mailmend.ui.ending import EXIT_PROBLEMS, Outcome, write
from mailmend.ui.progress import Progress, progress

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.stage import Stage


def demo(*, as_json: bool) -> Outcome:
    """0 only where every proof held. With `--json` the chapters are told on stderr, as progress."""
    from mailmend.jobs.demo import demo as job

    def tell(title: str, text: str) -> None:
        step.pause()
        if as_json:
            sys.stderr.write(f"mailmend: {printable(title)}: {printable(text)}\n")
        else:
            _chapter(title, text)

    with progress() as step, _stage(step) as (stage, reason):
        if reason:
            tell("A recording", reason)
        story = job(stage, tell)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import playing

        playing.ended(target, story)

    return Outcome(0 if story.holds else EXIT_PROBLEMS, show.demo(story), screen)


def _chapter(title: str, text: str) -> None:
    from mailmend.ui.screens import playing
    from mailmend.ui.terminal import drawn

    write(drawn(lambda target: playing.chapter(target, title, text)))


@contextmanager
def _stage(step: Progress) -> Iterator[tuple[Stage, str]]:
    """The lab, or where it cannot be opened the recording, with why."""
    from mailmend.jobs.stage import LabStage, RecordedStage
    from mailmend.lab import open_lab

    try:
        opened = open_lab(progress=step)
        lab = opened.__enter__()
    except CannotLook as failure:
        yield RecordedStage(), f"no private network here ({failure.reason}): a recorded world is replayed"
        return
    try:
        yield LabStage(lab), ""
    finally:
        opened.__exit__(None, None, None)
