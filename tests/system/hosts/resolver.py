"""The lab's names, and the records given as arguments, answered on port 53 of the network that this is started in."""

from __future__ import annotations

import asyncio
import os
import sys

from mailmend.lab import network
from mailmend.lab.nameserver import Nameserver
from mailmend.lab.zones import Zones


async def main() -> None:
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    await Nameserver(Zones("", tuple(sys.argv[1:]))).serve(network.listening(here, 53, udp=True))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
