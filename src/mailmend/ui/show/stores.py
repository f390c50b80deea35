"""What was taken into the delivery store, and what it holds -> mailmend.ingest/1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailmend.ui.show.common import Shape, document, moment

if TYPE_CHECKING:
    from mailmend.jobs.ingest import Taken
    from mailmend.system.store.queries import Standing


def ingested(taken: Taken | None, standing: Standing | None) -> Shape:
    """ingest/1: `taken` is what was new, null where nothing was looked for; `store` what there is now."""
    return document(
        "ingest",
        {"taken": _taken(taken) if taken is not None else None, "store": _standing(standing)},
    )


def followed(taken: Taken) -> Shape:
    """One line of `--follow --json`: what was new, just now."""
    return document("ingest", {"taken": _taken(taken)})


def _taken(of: Taken) -> Shape:
    return {
        "files": of.files,
        "lines": of.lines,
        "unparsed": of.unparsed,
        "deliveries": of.deliveries,
        "failed": of.failed,
        "unfinished_bytes": of.waiting,
        "errors": list(of.errors),
    }


def _standing(of: Standing | None) -> Shape | None:
    if of is None:
        return None
    return {
        "path": str(of.path),
        "bytes": of.size,
        "lines": of.lines,
        "unparsed": of.unparsed,
        "deliveries": of.deliveries,
        "failed": of.failed,
        "span": [moment(at) for at in of.span],
        "keep_days": of.keep_days or None,
        "sources": [
            {
                "path": str(each.path) if each.path else None,
                "read": each.read,
                "lines": each.lines,
                "at": moment(each.at),
            }
            for each in of.sources
        ],
        "error": of.error,
        "error_at": moment(of.error_at),
    }
