"""What a hurt story left, and what recovery makes of it, held against the table of the transaction.

After recovery: old pair or new pair, whole and with their owner, mode and attributes; the history says which; what
runs has read them, after the last of them was moved; nothing lies beside. A second recovery does nothing.
"""

from __future__ import annotations

import time
from typing import Any

from mailmend.model import MailmendError
from mailmend.system.history import History
from system.faults import acts, tracer
from system.faults.acts import Act
from system.faults.calls import Call
from system.faults.scene import Scene, named, texts
from system.faults.stories import Story

DEADLINE = 2.0  # seconds that a recovery may take
_MOVES = {"rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "openat", "truncate"}


class Judge:
    """Watches every act of one point; *wrong* collects what must not be, *where* tells the hurt call."""

    def __init__(self, story: Story, place: Scene, decide: Any) -> None:
        self.story, self.place, self.decide = story, place, decide
        self.wrong: list[str] = []
        self.end = ""
        self.slowest = 0.0
        self._clock = 0
        self._moved = self._activated = 0
        self._live = {str((place.etc / name).resolve()) for name in texts(place.etc)}

    @property
    def where(self) -> str:
        return str(self.decide.at)

    def act(self, power: bool = False) -> str | None:
        """The story itself, hurt; then what its ending promises. Returns the pair that was promised, if any.

        *power*: it is the power that went, so that nothing can be seen before the next boot.
        """
        ended = self._run(self.story.act, self.decide)
        self.place.postfix.hear(self.place.root, self._serve)
        if ended.killed and power:
            self.end = "power lost"
            return None
        if ended.killed:
            self.end = f"killed, {self.place.pair()}"
            self._require_whole()
            return None
        self.end = says = _says(ended)
        line = ended.answer.get("line") or ended.answer.get("crash", "")[-300:] if ended.answer else ""
        if says == "degraded" and self.decide.stays:
            return None  # the disk is gone: that going back was not possible is the truth, and told
        if says not in self.story.ends:
            self.wrong.append(f"ended as {says}: {line}")
        elif (promised := self.story.ends[says]) is not None:
            self._require_in_force(promised, f"told {says} ({line})")
            return promised
        return None

    def boot(self, script: bool) -> None:
        """The machine comes up again: Postfix starts, as it does where it ran; *script*: after undo.sh."""
        self._require_whole()
        self.place.postfix.runs = False
        self.place.postfix.loaded = {}
        self.place.postfix.sick.clear()
        if script:
            self.undo_sh("boot")
        elif self.place.ran:
            self._serve("start")

    def recover(self, promised: str | None = None) -> None:
        """The next command, and the one after it. What was *promised* before the power went must hold still."""
        self._next_command(acts.recover_late if self.story.late else acts.recover)
        pair, standing = self.place.pair(), self._standing()
        if standing == "trial":
            self._require_in_force("new", "still on trial")
            self.place.postfix.sick.clear()
            self._next_command(acts.recover_late)
            pair, standing = self.place.pair(), self._standing()
        if pair != standing:
            self.wrong.append(f"recovered: the files are {pair}, the history says {standing}")
        self._require_in_force(pair if pair == "new" else "old", "recovered")
        if promised not in (None, pair) and self.end != "trial":
            self.wrong.append(f"{promised} was told to be in force, and after the power loss {pair} is")
        if beside := self.place.beside():
            self.wrong.append(f"recovered: left behind {beside}")

    def edited(self) -> None:
        """Somebody edits a file before the next command comes: nothing is touched, until that edit is gone again."""
        main = self.place.etc / "main.cf"
        saved = main.read_bytes()
        with main.open("ab") as file:
            file.write(b"biff = no\n")
        before, activations = texts(self.place.etc), self.place.postfix.activations
        says = _says(self._run(acts.recover, lambda _: tracer.GO_ON))
        if says not in ("conflict", "nothing"):
            self.wrong.append(f"recovery of a file that others edited ended as {says}")
        if texts(self.place.etc) != before or self.place.postfix.activations != activations:
            self.wrong.append("recovery touched files that others edited")
        with main.open("r+b") as file:
            file.truncate(len(saved))

    def undo_sh(self, word: str) -> None:
        """undo.sh instead of Python: `now`, or `boot` before Postfix starts again."""
        self.place.postfix.sick.clear()  # what kept the old files from working has been put right
        ended = self._run(acts.script(word), lambda _: tracer.GO_ON)
        self.place.postfix.hear(self.place.root, self._serve)
        if ended.answer is None and ended.status != 0:
            self.wrong.append(f"undo.sh {word} ended with {ended.status}")
        if word == "boot" and self.place.ran:
            self._serve("start")
        self._require_whole()
        postfix = self.place.postfix
        if self.place.pair() == "mixed" or (postfix.runs and named(postfix.loaded) == "mixed"):
            self.wrong.append(f"undo.sh {word} left a mixed pair")

    def _next_command(self, recover: Act) -> None:
        begun = time.monotonic()
        ended = self._run(recover, lambda _: tracer.GO_ON)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        if self.slowest > DEADLINE:
            self.wrong.append(f"recovery took {self.slowest:.1f} s")
        if _says(ended) not in ("nothing", "taken-back"):
            self.wrong.append(f"recovery ended as {_says(ended)}: {ended.answer}")
        activations = self.place.postfix.activations
        again = self._run(recover, lambda _: tracer.GO_ON)
        did = [str(call) for call in again.calls if self._is_work(call)]
        if _says(again) != "nothing" or did or self.place.postfix.activations != activations:
            self.wrong.append(f"a second recovery was {_says(again)} and did {did}")

    def _run(self, act: Act, decide: tracer.Decide) -> tracer.Ended:
        def watched(call: Call) -> int:
            decision = decide(call)
            self._clock += 1
            if decision == tracer.GO_ON and self._moves(call):
                self._moved = self._clock
            return decision

        return tracer.run(lambda channel: act(self.place, channel), watched, self._serve)

    def _moves(self, call: Call) -> bool:
        """Whether one of the files is another one after *call*."""
        changed = call.paths[-1:] if call.name.startswith("link") else call.paths
        return not call.looks and call.name in _MOVES and not self._live.isdisjoint(changed)

    def _serve(self, verb: str) -> object:
        self._clock += 1
        if verb in ("start", "reload"):
            self._activated = self._clock
        return self.place.postfix.serve(verb)

    def _is_work(self, call: Call) -> bool:
        ours = any(path.startswith(str(self.place.root)) for path in call.paths)
        lock = all(path.endswith("/lock") for path in call.paths)
        # What makes a folder that is there, or locks, has done nothing.
        nothing = lock or call.looks or call.name in ("close", "flock", "mkdir")
        return ours and not nothing

    def _require_whole(self) -> None:
        if (pair := self.place.pair()).startswith("broken"):
            self.wrong.append(pair)

    def _require_in_force(self, pair: str, when: str) -> None:
        """The files are *pair*, and what runs is what they say."""
        postfix = self.place.postfix
        if self.place.pair() != pair:
            self.wrong.append(f"{when}: the files are {self.place.pair()}, not {pair}")
        if postfix.runs != self.place.ran:
            self.wrong.append(f"{when}: Postfix {'runs' if postfix.runs else 'is down'}")
        elif postfix.runs and named(postfix.loaded) != pair:
            self.wrong.append(f"{when}: Postfix runs on {named(postfix.loaded)}, not on {pair}")
        elif postfix.runs and self._moved > self._activated:
            self.wrong.append(f"{when}: a file was moved after the last activation")

    def _standing(self) -> str:
        """What the history says is in force: `old`, `new`, `trial`, or what is wrong with it."""
        history = History(self.place.state)
        try:
            records, damaged = history.records(), history.damaged()
        except MailmendError as error:
            return f"unreadable: {error}"
        if damaged:
            return f"damaged: {damaged}"
        if begun := [record.id for record in records if record.state == "intent"]:
            return f"still open: {begun}"
        changes = [record for record in records if record.undoes is None]
        undone = any(record.undoes is not None and record.state == "kept" for record in records)
        state = changes[0].state if changes else "rolled-back"
        if undone != (state == "undone"):
            return f"in two minds: the change is {state}, its undo {'kept' if undone else 'not kept'}"
        return {"kept": "new", "trial": "trial"}.get(state, "old")


def _says(ended: tracer.Ended) -> str:
    if isinstance(ended.answer, dict):
        return str(ended.answer.get("says", "crash"))
    return "killed" if ended.killed else f"status {ended.status}"
