"""Where mailmend keeps what must outlive it: named here, because the start of every command asks."""

from __future__ import annotations

from pathlib import Path

STATE = Path("/var/lib/mailmend")
HELPER = Path("/run/mailmend/helper.sock")


def trial(state: Path = STATE) -> Path:
    """The folder that is there for as long as a change is neither kept nor taken back."""
    return state / "trial"


def hold(state: Path = STATE) -> Path:
    """The file that is there for as long as a hold is watched."""
    return state / "hold"


def loaded(state: Path = STATE) -> Path:
    """The file that says what the running Postfix has loaded."""
    return state / "loaded.json"


def deliveries(state: Path = STATE) -> Path:
    """The folder of the delivery store."""
    return state / "deliveries"
