"""A transport of master.cf -> its clone under another name, with everything that the original had (master(5)).

The clone carries the original's `-o` overrides along, and its `NAME_destination_*` limits, which Postfix reads by
the transport's own name (postconf(5)).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailmend.facts.case import written
from mailmend.model import Change, Probe
from mailmend.questions import Service

# The per-destination limits of postconf(5) that a transport has under its own name.
LIMITS = (
    "destination_concurrency_limit",
    "destination_recipient_limit",
    "destination_rate_delay",
    "destination_concurrency_failed_cohort_limit",
    "destination_concurrency_negative_feedback",
    "destination_concurrency_positive_feedback",
    "initial_destination_concurrency",
    "transport_rate_delay",
)


def entry(name: str, original: Service, options: Sequence[tuple[str, str]]) -> str:
    """The text of *original* as the service *name*; *options* take the place of its overrides of those names."""
    columns = (
        name, original.type, original.private, original.unprivileged, original.chroot,
        original.wakeup, original.process_limit, original.command,
    )  # fmt: skip
    ours = {key for key, _ in options}
    every = [*((k, v) for k, v in original.overrides if k not in ours), *options]
    lines = [f"  -o {k}={v}" if " " not in v else f"  -o {{ {k} = {v} }}" for k, v in every]
    return "\n".join(["  ".join(columns), *lines]) + "\n"


def limits(name: str, original: Service, probe: Probe, left: Sequence[str] = ()) -> Iterator[Change]:
    """The settings that give the clone *name* the limits that main.cf writes for *original*; none of *left*."""
    for limit in LIMITS:
        old = f"{original.name}_{limit}"
        own = written(probe, old)
        if limit in left or own is None:
            continue
        # A name with a hyphen cannot be referred to: `$my-out` is `$my`, and `${my-out}` stops every daemon.
        after = f"${old}" if old.replace("_", "").isalnum() else own
        target = f"{name}_{limit}"
        yield Change("setting", target, written(probe, target), after, "reload")
