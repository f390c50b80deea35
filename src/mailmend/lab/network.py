"""Five network namespaces, joined by a router: its addresses, its wires, the sockets that listen there.

net (router, DNS) -+- relay      192.0.2.10     2001:db8:1::10, 2001:db8:1::25
                   +- receiver   198.51.100.27  2001:db8:2::1a
                   +- sender     203.0.113.25   2001:db8:3::25
                   +- elsewhere  203.0.113.153  2001:db8:4::99, 2001:db8:4::66
"""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mailmend.lab import kernel, zones

RESOLVER = "192.0.2.1"


@dataclass(frozen=True, slots=True)
class Host:
    """*more*: further IPv6 addresses, which the kernel does not choose as a source by itself."""

    name: str
    ipv4: str
    gateway4: str
    ipv6: str
    gateway6: str
    more: tuple[str, ...] = ()


HOSTS = (
    Host("relay", f"{zones.RELAY4}/24", RESOLVER, zones.RELAY6, "2001:db8:1::1", (zones.RELAY6_GOOD,)),
    Host("receiver", f"{zones.RECEIVER4}/24", "198.51.100.1", zones.RECEIVER6, "2001:db8:2::1"),
    Host("sender", f"{zones.SENDER4}/25", "203.0.113.1", zones.SENDER6, "2001:db8:3::1"),
    Host(
        "elsewhere",
        f"{zones.ELSEWHERE4}/25",
        "203.0.113.129",
        zones.ELSEWHERE6,
        "2001:db8:4::1",
        (zones.ONLY6,),
    ),
)


# Link-local addresses would be tentative for a second (RFC 4862 5.4), and the first packets lost meanwhile.
IPV6 = {
    "all/disable_ipv6": "0",
    "default/accept_dad": "0",
    "all/accept_dad": "0",
    "default/dad_transmits": "0",
}


def create() -> dict[str, int]:
    """The namespaces by name, `net` among them, as descriptors. The caller ends in the last one."""
    return {name: kernel.new_network() for name in ("net", *(h.name for h in HOSTS))}


def wire(spaces: dict[str, int], ip: list[str], environment: dict[str, str]) -> None:
    """Give every host its link, addresses and routes. *ip* is the command; OSError says what failed."""

    def batch(space: str, lines: list[str], fds: tuple[int, ...] = ()) -> None:
        with kernel.inside(spaces[space]):
            for name, value in IPV6.items():
                Path("/proc/sys/net/ipv6/conf", name).write_text(value)
            done = subprocess.run(
                [*ip, "-batch", "-"],
                input="link set lo up\n" + "\n".join(lines) + "\n",
                env=environment, pass_fds=fds, timeout=20, capture_output=True, text=True, check=False,
            )  # fmt: skip
        if done.returncode:
            raise OSError(0, done.stderr.strip().splitlines()[0], "ip")

    links = [
        f"link add n-{h.name} type veth peer name eth0 netns /proc/self/fd/{spaces[h.name]}" for h in HOSTS
    ]
    for h in HOSTS:
        prefix = h.ipv4.partition("/")[2]
        links += [
            f"link set n-{h.name} up",
            f"addr add {h.gateway4}/{prefix} dev n-{h.name}",
            f"addr add {h.gateway6}/64 dev n-{h.name} nodad",
        ]
    batch("net", links, tuple(spaces.values()))
    with kernel.inside(spaces["net"]):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    for h in HOSTS:
        extra = [f"addr add {a}/64 dev eth0 nodad preferred_lft 0" for a in h.more]
        batch(
            h.name,
            [
                "link set eth0 up",
                f"addr add {h.ipv4} dev eth0",
                f"addr add {h.ipv6}/64 dev eth0 nodad",
                *extra,
                f"route add default via {h.gateway4}",
                f"route add default via {h.gateway6}",
            ],
        )


def lease(
    spaces: dict[str, int], name: str, addresses: list[str], ip: list[str], environment: dict[str, str]
) -> None:
    """Further addresses for the host *name*, routed to it; those that the lab itself uses are left as they are."""
    host = next(h for h in HOSTS if h.name == name)
    taken = {a.partition("/")[0] for h in HOSTS for a in (h.ipv4, h.gateway4, h.ipv6, h.gateway6, *h.more)}
    for address in addresses:
        if address in taken:
            continue
        via, bits, extra = (
            (host.ipv6, 128, ["nodad"]) if ":" in address else (host.ipv4.partition("/")[0], 32, [])
        )
        for space, words in (
            (name, ["addr", "replace", f"{address}/{bits}", "dev", "eth0", *extra]),
            ("net", ["route", "replace", f"{address}/{bits}", "via", via]),
        ):
            with kernel.inside(spaces[space]):
                family = ["-6"] if ":" in address else []
                done = subprocess.run(
                    [*ip, *family, *words],
                    env=environment,
                    timeout=20,
                    capture_output=True,
                    text=True,
                    check=False,
                )
            if done.returncode:
                raise OSError(0, done.stderr.strip() or f"{address} cannot be given to {name}", "ip")


def listening(space: int, port: int, *, udp: bool = False) -> list[socket.socket]:
    """Sockets for both families in a namespace: TCP, and UDP where asked for."""
    sockets = []
    with kernel.inside(space):
        for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 (a private net)
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) if udp else (socket.SOCK_STREAM,):
                # asyncio switches Nagle's algorithm off only where it sees that the protocol is TCP.
                sock = socket.socket(family, kind, socket.IPPROTO_TCP if kind == socket.SOCK_STREAM else 0)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((address, port))
                if kind == socket.SOCK_STREAM:
                    sock.listen(128)
                sock.setblocking(False)
                sockets.append(sock)
    return sockets


def close(spaces: dict[str, int]) -> None:
    for space in spaces.values():
        os.close(space)
