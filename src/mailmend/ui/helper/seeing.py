"""What a proposal would do, as a person is shown it; and what is asked at the last moment before it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from mailmend.jobs.here import Here
from mailmend.model import Activation, FileEdit, Finding, Plan, Proof, Refused
from mailmend.road.hold import TABLE
from mailmend.ui.helper import verbs
from mailmend.ui.helper.allowed import needs_step_up
from mailmend.ui.show import Shape

if TYPE_CHECKING:
    from rich.console import Console


class Told(Protocol):
    """Who hears what is done, while it is done."""

    def step(self, says: str) -> None:
        """What is done now."""

    def finding(self, seen: Finding) -> None:
        """What was measured."""

    def proof(self, held: Proof) -> None:
        """What was looked at afresh."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a proposal would do. *digest* None: nothing is to be done, and *told* says why.

    *since*: the time that it is made of, None where it is made of none. *refused*: why no page may have it done.
    *told* is the command's document, *screen* its screen.
    """

    digest: str | None
    diff: str
    activation: Activation
    told: Shape
    screen: Callable[[Console], None]
    step_up: bool = False
    refused: Refused | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """What was seen and is to be done: *digest*, made of *since*; *approved*: by a code of its own."""

    proposal: verbs.AnyProposal
    digest: str
    approved: bool
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Require:
    """Asked by the jobs at the last moment, with what they would really write."""

    agreed: Agreed
    here: Here
    told: Told = field(repr=False)

    def plan(self, plan: Plan) -> bool:
        for seen in plan.findings:
            self.told.finding(seen)
        hold = isinstance(self.agreed.proposal, verbs.HoldOn)
        self.files(but_the_table(plan.files) if hold else plan.files, plan.digest)
        return True

    def files(self, files: tuple[FileEdit, ...], digest: str) -> None:
        self.same(digest)
        if needs_step_up(files, self.here.probe):
            self.code()

    def same(self, digest: str) -> None:
        if digest != self.agreed.digest:
            raise Refused("this is not what was shown: the host has changed since", "look at it again")

    def code(self) -> None:
        if not self.agreed.approved:
            raise Refused("this asks for a fresh code", "mailmend web --code shows one to root")


def judged(files: tuple[FileEdit, ...], here: Here) -> tuple[bool, Refused | None]:
    """Whether a page has to bring a code for *files*; or why none may change them."""
    try:
        return needs_step_up(files, here.probe), None
    except Refused as refused:
        return False, refused


def but_the_table(files: tuple[FileEdit, ...]) -> tuple[FileEdit, ...]:
    """*files* of a hold without its table: no word in it is anybody's but ours, and its `|` run nothing."""
    return tuple(edit for edit in files if not edit.path.endswith(f"/{TABLE}"))


def prove(proof: Proof | None, told: Told) -> None:
    if proof is not None:
        told.proof(proof)


def in_words(says: str, diff: str) -> Callable[[Console], None]:
    def screen(target: Console) -> None:
        from mailmend.ui.terminal import difference, heading, say

        say(target, says)
        if diff:
            heading(target, "What changes")
            difference(target, diff)

    return screen
