"""From a bounce to a proven fix: mail that a Postfix server cannot get delivered."""

__version__ = "0.1.0"
