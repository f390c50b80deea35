"""The screen of report: what follows first, then who failed over which family, why, how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from mailmend.ui import figures
from mailmend.ui.terminal import BAD, FAINT, columns, command, heading, joined, say, words

if TYPE_CHECKING:
    from rich.console import Console

    from mailmend.jobs.report import Told
    from mailmend.road.report import Delays, Report, Turn

_MOST = 12  # rows of a table
_BAR = 18
_WIDE = 100  # columns from which there is room for bars and whole names
_STEPS, _ASCII_STEPS = "▁▂▃▄▅▆▇█", ".:-=+*#@"


def reported(target: Console, told: Told) -> None:
    """What the log says, at the width of *target*."""
    found = told.report
    _head(target, found)
    if found.findings:
        heading(target, "What follows from it")
        for note in found.findings:
            say(target, note.says, indent=2, first="- ")
            if note.command:
                say(target, joined("cure: ", command(note.command)), indent=4)
    _receivers(target, found)
    _causes(target, found)
    _turns(target, told.turns)
    _rejected(target, found)
    _delays(target, found.delays)


def _head(target: Console, found: Report) -> None:
    began, ended = (at.isoformat(" ", "minutes") if at else "?" for at in found.span)
    say(
        target,
        f"{began} to {ended}: {found.lines} lines, {found.messages} messages, {found.total()} deliveries.",
    )
    sent, bounced, deferred = (found.total(status) for status in ("sent", "bounced", "deferred"))
    say(
        target,
        f"{sent} sent, {bounced} bounced, {deferred} put off, {_sum(found.rejected)} refused by this server.",
    )


def _sum(counted: Sequence[tuple[str, int]]) -> int:
    return sum(count for _, count in counted)


def _receivers(target: Console, found: Report) -> None:
    wide = target.width >= _WIDE
    lines = [line for line in figures.lines(found) if line.failed][:_MOST]
    if not lines:
        return
    heading(target, "Not delivered, by receiver and address family")
    rows, head = [], ["receiver", "over", "   total", "bounced", "put off", "failed", "", "over time"]
    for line in lines:
        share = line.failed / line.total
        row = [
            words(line.name if wide else line.short),
            words(line.family),
            words(str(line.total).rjust(8)),
            words(str(line.counts["bounced"]).rjust(7)),
            words(str(line.counts["deferred"]).rjust(7)),
            words(f"{100 * share:4.0f} %"),
            _bar(target, share, _BAR),
            words(_spark(target, figures.resampled(line.over_time, _BAR)), FAINT),
        ]
        rows.append(row if wide else [*row[:-2], row[-1]])
    columns(target, rows, head=head if wide else [*head[:-2], head[-1]])


def _bar(target: Console, share: float, width: int) -> Text:
    full = min(max(round(share * width), 1 if share else 0), width)
    unicode = target.encoding.lower().startswith("utf")
    return Text(("█" if unicode else "#") * full, BAD) + Text(
        ("░" if unicode else ".") * (width - full), FAINT
    )


def _spark(target: Console, shares: Sequence[float | None]) -> str:
    """Each share by its height; a blank where there was no mail."""
    steps = _STEPS if target.encoding.lower().startswith("utf") else _ASCII_STEPS
    return "".join(
        " " if share is None else steps[min(int(share * len(steps)), len(steps) - 1)] for share in shares
    )


def _causes(target: Console, found: Report) -> None:
    rows = [row for row in found.rows if row.place.status != "sent"]
    if not rows:
        return
    heading(target, "Why")
    columns(
        target,
        [
            (
                str(row.count).rjust(7),
                {"bounced": "bounced", "deferred": "put off"}[row.place.status],
                row.place.cause or "unknown",
                joined(
                    f"{figures.name(row.place.receiver)} {figures.family(row.place.family)}".strip(),
                    words(_hit(row.domains, row.senders), FAINT),
                ),
            )
            for row in rows[:_MOST]
        ],
    )
    if len(rows) > _MOST:
        left = sum(row.count for row in rows[_MOST:])
        say(
            target,
            words(f"and {left} more in {len(rows) - _MOST} kinds: --json or --csv FILE has all", FAINT),
            indent=2,
        )
    moved = sum(row.forwarded for row in rows)
    if moved:
        say(
            target,
            f"{moved} of {sum(row.count for row in rows)} were on their way to another address (forwarded).",
            indent=2,
        )


def _hit(domains: Sequence[tuple[str, int]], senders: Sequence[tuple[str, int]]) -> str:
    told = [f"to {domains[0][0]}"] if domains else []
    told += [f"from {senders[0][0] or '<>'}"] if senders else []
    return f", most {' and '.join(told)}" if told else ""


def _turns(target: Console, turns: Sequence[Turn]) -> None:
    if turns:
        heading(target, "Before and after each change")
        columns(
            target,
            [
                (
                    turn.change,
                    figures.name(turn.receiver),
                    figures.family(turn.family),
                    f"{_percent(turn.before)} -> {_percent(turn.after)} failed",
                )
                for turn in turns[-_MOST:]
            ],
        )


def _percent(of: tuple[int, int]) -> str:
    return f"{100 * of[0] / of[1]:.0f} %"


def _rejected(target: Console, found: Report) -> None:
    if found.rejected:
        heading(target, "Refused by this server")
        columns(target, [(str(count).rjust(7), reason) for reason, count in found.rejected[:_MOST]])


def _delays(target: Console, delays: Sequence[Delays]) -> None:
    if delays:
        heading(target, "Delays in seconds: median, and what 95 % stay below")
        columns(
            target,
            [
                (
                    figures.name(of.receiver),
                    *(
                        f"{_short(median)} {_short(most)}"
                        for median, most in zip(of.medians, of.p95, strict=True)
                    ),
                )
                for of in delays[:_MOST]
            ],
            head=("receiver", "before queue", "in queue", "connecting", "sending"),
        )


def _short(seconds: float | None) -> str:
    return ("?" if seconds is None else f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}").rjust(6)
