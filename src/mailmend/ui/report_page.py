"""A report -> one HTML page that needs nothing else: figures as inline SVG, no script, every word encoded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from mailmend.ui import figures
from mailmend.ui.encode import printable

if TYPE_CHECKING:
    from mailmend.jobs.report import Told
    from mailmend.road.report import Report

# Nothing is fetched and nothing runs, whatever a stranger wrote into the log.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --bad: #c0392b; --warn: #d68910; --good: #2e86c1; --line: #8886; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; }
code { font-family: ui-monospace, monospace; }
svg text { fill: currentColor; font-size: 11px; }
.sent { fill: var(--good); } .deferred { fill: var(--warn); } .bounced { fill: var(--bad); }
.text { overflow-wrap: anywhere; opacity: .75; font-size: .85em; }
"""
_WIDTH, _HEIGHT, _MOST_BARS = 1000, 160, 200
_KINDS = (("sent", "sent"), ("deferred", "put off"), ("bounced", "bounced"))


def page(told: Told) -> str:
    """The whole page. Text of the log is escaped, and what is not plainly visible shown as its escape."""
    found = told.report
    began, ended = (at.isoformat(" ", "minutes") if at else "?" for at in found.span)
    body = [
        "<h1>What became of the mail</h1>",
        f"<p>{_e(began)} to {_e(ended)}: {found.lines} lines, {found.unparsed} of them not read, "
        f"{found.messages} messages, {found.total()} deliveries: "
        f"{found.total('sent')} sent, {found.total('bounced')} bounced, {found.total('deferred')} put off.</p>",
        _findings(found),
        "<h2>Over time</h2>",
        _over_time(found),
        "<h2>By receiver and address family</h2>",
        _receivers(found),
        "<h2>Why</h2>",
        _causes(found),
        _turns(told),
        "<h2>Refused by this server</h2>",
        _table(("-count", "reason"), found.rejected),
        "<h2>Delays in seconds: median / 95 % stay below</h2>",
        _delays(found),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width"><title>mailmend report</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _e(text: object) -> str:
    return escape(printable(str(text)), quote=True)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], *, raw: Sequence[int] = ()) -> str:
    """A column whose title begins with `-` is set to the right; those numbered in *raw* are markup of our own."""
    kinds = [' class="n"' if title.startswith("-") else "" for title in head]
    out = "".join(
        f"<th{kind}>{_e(title.removeprefix('-'))}</th>" for kind, title in zip(kinds, head, strict=True)
    )
    lines = [f"<tr>{out}</tr>"]
    for row in rows:
        cells = (str(cell) if number in raw else _e(cell) for number, cell in enumerate(row))
        lines.append(
            "<tr>"
            + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, cells, strict=True))
            + "</tr>"
        )
    return f"<table>{''.join(lines)}</table>"


def _findings(found: Report) -> str:
    if not found.findings:
        return ""
    notes = (
        f"<li>{_e(note.says)}"
        + (f"<br>cure: <code>{_e(note.command)}</code>" if note.command else "")
        + "</li>"
        for note in found.findings
    )
    return f"<h2>What follows from it</h2><ul>{''.join(notes)}</ul>"


def _over_time(found: Report) -> str:
    """Deliveries for each hour (or for several, where there are many), failures at the bottom."""
    axis = figures.axis(found, _MOST_BARS)
    sums = figures.by_status(found, axis)
    names = [figures.moment(axis.begins(number)) for number in range(axis.count)]
    most = max((each.total() for each in sums), default=0)
    if not most:
        return "<p>No deliveries.</p>"
    step = _WIDTH / axis.count
    bars = []
    for number, (group, kinds) in enumerate(zip(names, sums, strict=True)):
        y = float(_HEIGHT)
        for kind, word in reversed(_KINDS):
            height = _HEIGHT * kinds[kind] / most
            y -= height
            bars.append(
                f'<rect class="{kind}" x="{number * step:.1f}" y="{y:.1f}" width="{step * 0.9:.1f}" '
                f'height="{height:.1f}"><title>{_e(group)}: {kinds[kind]} {word}</title></rect>'
            )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 20}" role="img" aria-label="deliveries over time">{"".join(bars)}'
        f'<text x="0" y="{_HEIGHT + 15}">{_e(names[0])}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT + 15}" text-anchor="end">{_e(names[-1])}</text></svg>'
        "<p>Blue: sent, yellow: put off, red: bounced; the highest has "
        f"{most} deliveries in {axis.says}.</p>"
    )


def _receivers(found: Report) -> str:
    rows = []
    for line in figures.lines(found):
        parts, x = [], 0.0
        for kind, _ in reversed(_KINDS):
            width = 200 * line.counts[kind] / line.total
            parts.append(f'<rect class="{kind}" x="{x:.1f}" width="{width:.1f}" height="12"/>')
            x += width
        bar = f'<svg width="200" height="12" role="img" aria-label="shares">{"".join(parts)}</svg>'
        share = f"{100 * line.failed / line.total:.1f} %"
        rows.append(
            (line.name, line.family, line.total, line.counts["bounced"], line.counts["deferred"], share, bar)
        )
    return _table(("receiver", "over", "-deliveries", "-bounced", "-put off", "-failed", ""), rows, raw=(6,))


def _causes(found: Report) -> str:
    rows = []
    for row in found.rows:
        if row.place.status == "sent":
            continue
        rows.append(
            (
                row.count,
                {"bounced": "bounced", "deferred": "put off"}.get(row.place.status, row.place.status),
                f'{_e(row.place.cause)}<div class="text">{_e(row.text[:300])}</div>',
                f"{figures.name(row.place.receiver)} {figures.family(row.place.family)}",
                ", ".join(row.who),
                row.forwarded,
                ", ".join(f"{name} ({count})" for name, count in row.domains[:3]),
                ", ".join(f"{name or '<>'} ({count})" for name, count in row.senders[:3]),
            )
        )
    head = ("-count", "", "cause", "receiver", "who acts", "-forwarded", "domains", "senders")
    return _table(head, rows, raw=(2,))


def _turns(told: Told) -> str:
    if not told.turns:
        return ""
    rows = (
        (
            turn.change,
            turn.at.isoformat(" ", "minutes"),
            figures.name(turn.receiver),
            figures.family(turn.family),
            f"{turn.before[0]} of {turn.before[1]}",
            f"{turn.after[0]} of {turn.after[1]}",
        )
        for turn in told.turns
    )
    return "<h2>Before and after each change</h2>" + _table(
        ("change", "at", "receiver", "over", "-failed before", "-failed after"), rows
    )


def _delays(found: Report) -> str:
    rows = (
        (
            figures.name(of.receiver),
            *(f"{_short(a)} / {_short(b)}" for a, b in zip(of.medians, of.p95, strict=True)),
        )
        for of in found.delays
    )
    return _table(("receiver", "-before queue", "-in queue", "-connecting", "-sending"), rows)


def _short(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
