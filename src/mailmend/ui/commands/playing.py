"""demo: the whole story, chapter by chapter, and whether every proof held; or who can be forwarded with which cure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mailmend.ui import show
from mailmend.ui.encode import printable
from mailmend.ui.ending import EXIT_PROBLEMS, Outcome, write
from mailmend.ui.progress import progress

if TYPE_CHECKING:
    from rich.console import Console


def demo(*, as_json: bool, record: str | None = None) -> Outcome:
    """0 only where every proof held. With `--json` the chapters are told on stderr, as progress."""
    from mailmend.jobs.demo import play

    heard = ""

    def hear(text: str) -> None:
        nonlocal heard
        heard = text
        step(text)

    def tell(title: str, text: str) -> None:
        step.pause()
        if as_json:
            sys.stderr.write(f"mailmend: {printable(title)}: {printable('; '.join(text.splitlines()))}\n")
        else:
            _chapter(title, text)
            step("playing the next act")

    with progress() as step:
        story = play(tell, hear, record=Path(record) if record else None)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import playing

        playing.ended(target, story, heard)

    return Outcome(0 if story.holds else EXIT_PROBLEMS, show.demo(story), screen)


def demo_forwarding(record: str | None = None) -> Outcome:
    """0 only where every cell became what was foretold."""
    from mailmend.jobs.demo_forwarding import play

    with progress() as step:
        story = play(step, record=Path(record) if record else None)

    def screen(target: Console) -> None:
        from mailmend.ui.screens import playing_forwarding

        playing_forwarding.ended(target, story)

    return Outcome(EXIT_PROBLEMS if story.wrong else 0, show.demo_forwarding(story), screen)


def _chapter(title: str, text: str) -> None:
    from mailmend.ui.screens import playing
    from mailmend.ui.terminal import drawn

    write(drawn(lambda target: playing.chapter(target, title, text)))
