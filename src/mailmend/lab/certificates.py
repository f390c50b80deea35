"""Names -> a throw-away certificate for them, which is its own authority, and its key (RFC 5280, RFC 6125)."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mailmend.lab import root

if TYPE_CHECKING:
    import ssl


def throw_away(names: Sequence[str], unpacked: Path) -> tuple[str, str]:
    """A certificate and its private key, both as PEM. OSError where openssl cannot make them."""
    openssl, environment = root.command("openssl", unpacked)
    with TemporaryDirectory(prefix="mailmend-") as folder:
        settings, key, certificate = (Path(folder) / name for name in ("openssl.cnf", "key", "certificate"))
        settings.write_text(
            "[req]\nprompt = no\ndistinguished_name = name\n[name]\nCN = mailmend rehearsal\n"
        )
        done = subprocess.run(
            [
                openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key),
                "-out", str(certificate), "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", f"subjectAltName={','.join(f'DNS:{name}' for name in names)}",
            ],
            env={**environment, "OPENSSL_CONF": str(settings)}, timeout=30, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise OSError(
                0, (done.stderr.strip().splitlines() or ["no certificate can be made"])[-1], "openssl"
            )
        return certificate.read_text(), key.read_text()


def context(certificate: str, key: str) -> ssl.SSLContext:
    """A server's side of TLS with this pair."""
    import ssl

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory(prefix="mailmend-") as folder:
        path = Path(folder) / "pair"
        path.touch(0o600)
        path.write_text(certificate + key)
        made.load_cert_chain(path)
    return made
