"""The small process of root behind the console: a page asks it for a verb of a closed list, never with file text.

The page's own process has no rights. Whatever becomes of it, no more than this can be asked for here: a remedy or
settings by name, proposed and then applied by the digest that a person has seen; each in a session that a code began
which only root is shown, and what is dangerous only with a fresh code.
"""
