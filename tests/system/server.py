"""A configuration folder of a server that is not there: what was written and what was done to it is seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mailmend.model import (
    Activation,
    Change,
    Expectation,
    FileEdit,
    Judgement,
    Plan,
    Proof,
    Proposal,
    Refused,
)
from mailmend.system import transaction
from mailmend.system.guard import Guard
from mailmend.system.history import History
from mailmend.system.probe import now

MAIN = "# ours\nmyhostname = relay.example.org\ninet_protocols = all\nrelayhost =\n"
MASTER = "smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n  -o smtp_helo_timeout=5\n"
MAP = "/^[^ ]+\\.google(mail)?\\.com\\. [^ ]+ IN AAAA / IGNORE\n"


def proof(verdict: str = "holds") -> Proof:
    expected = Expectation("running", "listener", "[::]:25", "gone", "[::]:25 is gone")
    return Proof((Judgement(expected, verdict, says="looked at it"),), now())  # type: ignore[arg-type]


@dataclass
class Server:
    """A configuration folder and what was done to the server; *seen* is main.cf at each activation."""

    etc: Path
    history: History
    activated: list[Activation] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    @property
    def guard(self) -> Guard:
        """Nobody waits outside: what that is worth is tested where a program is killed."""
        return Guard(self.history.state, launch=lambda name, argv: None)

    @property
    def main(self) -> Path:
        return self.etc / "main.cf"

    @property
    def map(self) -> Path:
        return self.etc / "ipv4_only_receivers"

    def activate(self, kind: Activation) -> None:
        self.activated.append(kind)
        self.seen.append(self.main.read_text("utf-8", "surrogateescape"))
        if self.trouble and (says := self.trouble.pop(0)):
            raise Refused(says)

    def plan(self, *edits: FileEdit, activation: Activation = "restart") -> Plan:
        edits = edits or (
            FileEdit(str(self.map), None, MAP),
            FileEdit(str(self.main), MAIN, MAIN.replace("= all", "= ipv4")),
        )
        change = Change("setting", "inet_protocols", "all", "ipv4", activation)
        return Plan(
            Proposal("ipv4-only", "contains", (change,)), (), edits, "diff", "0" * 64, reason="measured"
        )

    def apply(self, plan: Plan | None = None, verdict: str = "holds", old: str = "holds", **more):
        arguments = {
            "activate": self.activate,
            "prove": lambda: proof(verdict),
            "prove_old": lambda: proof(old),
            "history": self.history,
            "by": "root",
            "wait": 0.2,
            "guard": self.guard,
        }
        return transaction.apply(plan or self.plan(), **(arguments | more))

    def undo(self, record, **more):
        arguments = {
            "activate": self.activate,
            "prove": proof,
            "history": self.history,
            "by": "root",
            "wait": 0.2,
            "guard": self.guard,
        }
        return transaction.undo(record, **(arguments | more))

    def names(self) -> list[str]:
        return sorted(path.name for path in self.etc.iterdir())
