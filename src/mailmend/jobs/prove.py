"""prove: the proofs of the newest change in force, looked at afresh; with an address, one message is sent."""

from __future__ import annotations

from dataclasses import dataclass

from mailmend.facts.expect import socket_name
from mailmend.jobs.here import Here, Progress, silent
from mailmend.model import Delivery, Expectation, Proof, Record
from mailmend.questions import Listeners
from mailmend.road.verify import verify


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
    record = next((r for r in History(here.state).records() if r.state == "kept" and r.undoes is None), None)
    deliveries: tuple[Delivery, ...] = ()
    if to is not None:
        from mailmend.system.message import send_and_follow

        progress(f"sending one message to {to} and following it")
        deliveries = send_and_follow(to, here.log(), here.config_directory)
    progress("looking afresh")
    here.probe.begin("proof")
    expectations = record.expectations if record else _now_open(here)
    return Proven(record, verify(expectations, here.probe), deliveries)


def _now_open(here: Here) -> tuple[Expectation, ...]:
    out = [Expectation("running", "running-since", "master", None, "Postfix is running")]
    for listener in here.probe.ask(Listeners()).answer or ():
        name = socket_name(listener.address, listener.port)
        if listener.port == 25:
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listener.address, listener.address)  # noqa: S104
            out.append(Expectation("running", "greeting", socket_name(host, 25), "220", f"{name} answers"))
    return tuple(out)
