"""What only another installation of Postfix changes: asked once, and kept for some minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_LASTS = 300.0  # seconds: an upgrade of Postfix, or of its manual, is seen after that


@dataclass(slots=True)
class Installed:
    """Texts by their name: as many as there are names, and those are the program's and Postfix's own."""

    _texts: dict[str, tuple[float, str | None]] = field(default_factory=dict)

    def text(self, name: str, ask: Callable[[], str | None]) -> str | None:
        """What *ask* says of *name*, or said lately. It may block; what it raises is raised, and not kept."""
        kept = self._texts.get(name)
        if kept is not None and time.monotonic() - kept[0] <= _LASTS:
            return kept[1]
        said = ask()
        self._texts[name] = time.monotonic(), said
        return said
