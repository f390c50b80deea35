"""Where the demo is played: the lab's real Postfix, or a recording of it.

Both answer the same acts. What mailmend itself concludes (explanation, findings, plan) is worked out anew in
either case by mailmend's own command line: in the lab by looking, in the replay from the recorded answers.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from mailmend.model import CannotLook
from mailmend.parse import maincf

MAIN = "/etc/postfix/main.cf"
MASTER = "/etc/postfix/master.cf"
RECORDING = "/tmp/mailmend-demo.jsonl"  # noqa: S108  (inside the lab's own /tmp)
# The lab's stand-in for SRS: the envelope of every sender becomes one of our own domain.
SRS_MAP = "/^(.*)@(.*)$/ SRS0=lab=${2}=${1}@example.org\n"


class Stage(Protocol):
    """*recorded* says which of the two it is."""

    recorded: bool

    def act(self, name: str, /, **arguments: Any) -> Any: ...
    def explain(self, bounce: str) -> dict[str, Any]: ...
    def check(self, domains: Sequence[str]) -> dict[str, Any]: ...
    def fix(self, arguments: Sequence[str]) -> dict[str, Any]: ...


def mailmend_here(arguments: Sequence[str], stdin: str = "") -> dict[str, Any]:
    """Run mailmend's command line beside us and return its one JSON document."""
    source = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mailmend", "--json", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": source},
    )
    return _document(done.stdout, done.stderr)


def _document(stdout: str, stderr: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(stdout)
    except json.JSONDecodeError:
        raise CannotLook(f"mailmend answered no JSON: {stderr.strip()[-300:] or stdout[:300]}") from None
    if "error" in document:
        raise CannotLook(f"{document['error']['reason']}")
    return document


class LabStage:
    """Plays on an open lab and writes down every act with what came of it."""

    recorded = False

    def __init__(self, lab: Any) -> None:
        self._lab = lab
        self._before: dict[str, str | None] = {}
        self.script: list[dict[str, Any]] = []

    def act(self, name: str, /, **arguments: Any) -> Any:
        method: Callable[..., Any] = getattr(self, f"_{name}")
        result = method(**arguments)
        self.script.append({"act": name, "arguments": arguments, "result": result})
        return result

    def explain(self, bounce: str) -> dict[str, Any]:
        return mailmend_here(["explain", "-"], bounce)

    def check(self, domains: Sequence[str]) -> dict[str, Any]:
        return self._mailmend("check", [*domains])

    def fix(self, arguments: Sequence[str]) -> dict[str, Any]:
        self._before = self._bytes()
        return self._mailmend("fix", ["--yes", *arguments])

    def _mailmend(self, command: str, arguments: list[str]) -> dict[str, Any]:
        done = self._lab.relay.mailmend("--json", "--record", RECORDING, command, *arguments)
        document = _document(done.stdout, done.stderr)
        recording = self._lab.relay.read(RECORDING)
        # What it concluded is left out: a replay concludes it anew, from the same answers.
        state = document.get("state")
        self.script.append({"act": command, "arguments": arguments, "state": state, "recording": recording})
        return document

    # ---- the acts ----

    def _open(self, world: str) -> None:
        self._lab.receiver.world(world)
        self._lab.dns.reset()
        self._lab.relay.reset(remove=("mynetworks",))
        self._lab.relay.start()

    def _look(self) -> dict[str, Any]:
        status = _document(*self._run_json("status"))
        networks = self._lab.relay.run(["postconf", "-hx", "mynetworks"]).stdout.strip()
        return {
            "listeners": status["listeners"],
            "mynetworks": networks,
            "ss": self._lab.relay.listeners_ss(),
        }

    def _run_json(self, command: str) -> tuple[str, str]:
        done = self._lab.relay.mailmend("--json", command)
        return done.stdout, done.stderr

    def _send(
        self, to: str, count: int, signed: bool = False, sender: str = "alice@sender.example"
    ) -> list[Any]:
        traces = self._lab.send(to=to, count=count, signed=signed, sender=sender)
        outcomes = self._lab.outcomes(traces)
        return [
            {
                "status": outcomes[trace].status,
                "family": outcomes[trace].family,
                "relay": outcomes[trace].relay,
                "reply": outcomes[trace].text,
            }
            for trace in traces
        ]

    def _bounce(self) -> str:
        """The first non-delivery notification that came back to the original sender."""
        return str(self._lab.sender.wait_mailbox(1)[0])

    def _edit_and_reload(self, setting: str, value: str) -> dict[str, Any]:
        self._by_hand = self._lab.relay.read(MAIN)
        self._write_main(str(maincf.parse(self._by_hand).assign(setting, value)))
        self._lab.relay.reload()
        return self._look()

    def _put_back(self) -> None:
        self._write_main(self._by_hand)
        self._lab.relay.reload()

    def _write_main(self, text: str) -> None:
        self._lab.relay.write(MAIN, text)
        # Postfix naps for up to two seconds over a main.cf that has just been written.
        self._lab.relay.run(["touch", "-d", "60 seconds ago", MAIN])

    def _undo(self) -> dict[str, Any]:
        done = _document(*self._run_json("undo"))
        return {"identical": self._bytes() == self._before, "said": done["identical"]}

    def _bytes(self) -> dict[str, str | None]:
        listing = self._lab.relay.run(["find", "/etc/postfix", "-type", "f"]).stdout.split()
        return {
            path: hashlib.sha256(self._lab.relay.read(path).encode("utf-8", "surrogateescape")).hexdigest()
            for path in listing
        }

    def _cure(self) -> None:
        """What mailmend advises and others publish: SRS, an SPF record for both families, the missing PTR."""
        self._lab.relay.reset(
            remove=("mynetworks",),
            main={
                "sender_canonical_classes": "envelope_sender",
                "sender_canonical_maps": "regexp:/etc/postfix/srs",
            },
            files={"/etc/postfix/srs": SRS_MAP},
        )
        self._lab.dns.publish(
            "example.org TXT v=spf1 mx ip6:2001:db8:1::10 -all", "2001:db8:1::10 PTR relay.example.org."
        )
        self._lab.relay.start()


class RecordedStage:
    """Plays a recording: acts come out as they went, conclusions are worked out anew from recorded answers."""

    recorded = True

    def __init__(self, script: Sequence[dict[str, Any]] | None = None) -> None:
        if script is None:
            text = files("mailmend.lab").joinpath("demo.jsonl").read_text("utf-8")
            script = [json.loads(line) for line in text.splitlines()]
        self._script = iter(script)

    def _next(self, name: str) -> dict[str, Any]:
        entry = next(self._script)
        if entry["act"] != name:
            raise CannotLook(f"the recording has {entry['act']} where the story has {name}", "record it anew")
        return entry

    def act(self, name: str, /, **arguments: Any) -> Any:
        return self._next(name)["result"]

    def explain(self, bounce: str) -> dict[str, Any]:
        return mailmend_here(["explain", "-"], bounce)

    def check(self, domains: Sequence[str]) -> dict[str, Any]:
        return self._replayed(self._next("check"), "check", list(domains))

    def fix(self, arguments: Sequence[str]) -> dict[str, Any]:
        entry = self._next("fix")
        dry = ["--dry-run", *(a for a in arguments if a != "--dry-run")]
        replayed = self._replayed(entry, "fix", dry)
        # The plan is concluded now; that it was applied and proven is what the recording tells.
        return {**replayed, "state": entry["state"]}

    def _replayed(self, entry: dict[str, Any], command: str, arguments: list[str]) -> dict[str, Any]:
        with TemporaryDirectory(prefix="mailmend-") as folder:
            path = Path(folder) / "recording.jsonl"
            path.write_text(entry["recording"])
            return mailmend_here(["--replay", str(path), command, *arguments])
