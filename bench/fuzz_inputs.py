"""Coverage-guided fuzzing of every reader of foreign text; atheris (PyPI) is wanted for it, by nothing else.

    PYTHONPATH=src python bench/fuzz_inputs.py [-max_total_time=SECONDS] [FOLDER WITH SAMPLES]

Whatever comes, a reader answers or raises ParseError, within 50 ms of CPU time for each 1 MB: anything else ends the
run and leaves the input in a file `crash-...` of the working directory.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["mailmend.parse"]):
    from mailmend.model import ParseError
    from mailmend.parse import logged, mailq, message, paste, prose, returned, trace, words

SECONDS = 0.050
READERS = (returned.deliveries, logged.deliveries, mailq.deliveries, trace.deliveries, prose.deliveries)


def one(data: bytes) -> None:
    begun = time.process_time()
    with suppress(ParseError):
        paste.deliveries(data)
    if time.process_time() - begun > 10 * SECONDS:  # instrumented code is slow
        raise TimeoutError(f"{len(data)} bytes took {time.process_time() - begun:.3f} s")
    text = data.decode("utf-8", "surrogateescape")
    for reader in READERS:
        with suppress(ParseError):
            reader(text)
    message.fields(text)
    words.unworded(text)
    words.parameter(text, "boundary")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
