"""prove: the proofs of the newest change in force, looked at afresh; with an address, one message is sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailmend.facts.expect import socket_name
from mailmend.jobs.here import Here, Progress, silent
from mailmend.model import Delivery, Expectation, Proof, Record
from mailmend.questions import Listeners, Now, Setting
from mailmend.road.verify import verify

RUNNING = Expectation("running", "running-since", "master", None, "Postfix is running")
_LATELY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Proven:
    """*record* is None where mailmend has changed nothing yet: then only the running server is proven.

    *deliveries* are what became of the one message sent to the address given, as the log told it.
    """

    record: Record | None
    proof: Proof
    deliveries: tuple[Delivery, ...]


def prove(here: Here, *, to: str | None = None, progress: Progress = silent) -> Proven:
    """Look again at what the newest kept change promised.

    One message proves the path of that message, never the forward: sender, SPF, DKIM and DMARC differ.
    """
    from mailmend.system.history import History

    here.require_postfix()
    record = next(iter(History(here.state).in_force()), None)
    deliveries: tuple[Delivery, ...] = ()
    if to is not None:
        from mailmend.system.message import send_and_follow

        progress(f"sending one message to {to} and following it")
        deliveries = send_and_follow(to, here.log(), _sendmail(here), here.config_directory)
    progress("looking afresh")
    here.probe.begin("proof")
    expectations = _as_of_now(record.expectations, here) if record else _now_open(here)
    return Proven(record, verify(expectations, here.probe), deliveries)


def _as_of_now(expectations: tuple[Expectation, ...], here: Here) -> tuple[Expectation, ...]:
    """What held at the change, as it can be asked later: that Postfix runs, that no daemon dies these minutes.

    Since the change it was stopped and started for many reasons, and may have died of others.
    """
    moment = here.probe.ask(Now()).at - _LATELY
    return tuple(dict.fromkeys(_later(e, moment) for e in expectations))


def _later(expectation: Expectation, moment: datetime) -> Expectation:
    if expectation.kind == "running-since":
        return RUNNING
    if expectation.kind == "no-fatal" and expectation.wanted:
        since = max(moment, datetime.fromisoformat(expectation.wanted))
        return replace(expectation, wanted=since.isoformat())
    return expectation


def _sendmail(here: Here) -> str:
    from mailmend.system.trial import sendmail

    seen = here.probe.ask(Setting("sendmail_path"))
    return sendmail((seen.answer.value or "") if seen.answer else "")


def _now_open(here: Here) -> tuple[Expectation, ...]:
    out = [RUNNING]
    for listener in here.probe.ask(Listeners()).answer or ():
        name = socket_name(listener.address, listener.port)
        if listener.port == 25:
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listener.address, listener.address)  # noqa: S104
            out.append(Expectation("running", "greeting", socket_name(host, 25), "220", f"{name} answers"))
    return tuple(out)
