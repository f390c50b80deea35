"""A private network of Linux namespaces: real Postfix, DNS, a sender, and a stand-in for Google's receivers."""

from __future__ import annotations

from mailmend.lab.driver import Lab, Received, open_lab
from mailmend.lab.outcomes import Attempt

__all__ = ["Attempt", "Lab", "Received", "open_lab"]
