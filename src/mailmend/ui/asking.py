"""A person is asked before anything is changed; where nobody sits at a terminal, the answer is no."""

from __future__ import annotations

import sys


def approved(question: str = "Apply this? [y/N] ") -> bool:
    """Whether somebody at this terminal answered yes."""
    from mailmend.ui.terminal import is_tty

    if not is_tty():
        return False
    sys.stderr.write(f"\n{question}")
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in ("y", "yes")
