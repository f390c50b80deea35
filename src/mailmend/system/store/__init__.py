"""The delivery store: every failed delivery whole, good ones rolled up, each line of the log taken exactly once.

`queries.py` says what can be asked, of whatever store; `schema.py` how this one keeps it in SQLite.
"""
