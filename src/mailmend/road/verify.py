"""A plan that was applied -> what must hold now, and the proof by fresh looks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mailmend.facts.case import Case
from mailmend.facts.expect import prove, socket_name
from mailmend.model import Activation, Expectation, Plan, Probe, Proof, family_of
from mailmend.questions import Greeting, Listeners


def running(activation: Activation, since: datetime, *, log: bool = True) -> tuple[Expectation, ...]:
    """What each activation must leave behind: a new qmgr after reload, a new master after stop and start.

    Where the log cannot be read (*log* False), nobody can tell of daemons that died.
    """
    stamp = since.isoformat()
    if activation not in ("reload", "restart"):
        return ()
    process, says = {
        "restart": ("master", "Postfix was stopped and started"),
        "reload": ("qmgr", "Postfix has loaded what is saved"),
    }[activation]
    started = Expectation("running", "running-since", process, stamp, says)
    clean = Expectation("running", "no-fatal", "log", stamp, "no daemon died of its configuration")
    return (started, clean) if log else (started,)


def untouched_listeners(plan: Plan, probe: Probe) -> tuple[Expectation, ...]:
    """Every socket that the plan does not speak of must still be open, and the SMTP port must still answer."""
    if plan.chosen is None:
        return ()
    spoken = {e.subject for e in plan.chosen.expectations if e.kind == "listener"}
    out = []
    for listener in probe.ask(Listeners()).answer or ():
        name = socket_name(listener.address, listener.port)
        if name not in spoken:
            out.append(Expectation("running", "listener", name, "open", f"{name} is still open"))
        if listener.port == 25 and family_of(listener.address) == "ipv4":
            address = "127.0.0.1" if listener.address == "0.0.0.0" else listener.address  # noqa: S104
            greeted = probe.ask(Greeting(address, 25))
            # Behind a proxy protocol nobody is greeted: what was not so before need not be so after.
            if (greeted.answer or "").startswith("220"):
                answers = f"{address}:25 answers"
                out.append(Expectation("running", "greeting", f"{address}:25", "220", answers))
    return tuple(out)


def listeners_as_they_are(probe: Probe) -> tuple[Expectation, ...]:
    """A master, and the sockets that are open now: the proof of having gone back to this state."""
    out = [Expectation("running", "running-since", "master", None, "Postfix runs")]
    for listener in probe.ask(Listeners()).answer or ():
        name = socket_name(listener.address, listener.port)
        out.append(Expectation("running", "listener", name, "open", f"{name} is open"))
    return tuple(out)


def delivered(case: Case, family: str, since: datetime) -> Expectation:
    """Real mail to the receiver is accepted from now on: pending until the log shows some."""
    hosts = case.suffixes or tuple(f".{host}" for way in case.ways for host in way.hosts)
    subject = f"{','.join(dict.fromkeys(hosts))} {family}"
    return Expectation(
        "delivery", "delivered", subject, since.isoformat(), f"mail to {case.name} is delivered"
    )


def verify(expectations: Iterable[Expectation], probe: Probe) -> Proof:
    """All of them, through a probe that has begun a new epoch."""
    return prove(expectations, probe)
