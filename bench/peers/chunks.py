"""Read all that a child writes, n MiB of zeros, and keep nothing."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE

import common


async def main(n):
    start = common.now()
    p = await asyncio.create_subprocess_exec(
        "/usr/bin/head", "-c", str(n << 20), "/dev/zero",
        stdin=DEVNULL, stdout=PIPE, limit=1 << 20, pipesize=1 << 20)
    got = 0
    while data := await p.stdout.read(1 << 18):
        got += len(data)
    assert await p.wait() == 0
    seconds = common.now() - start
    assert got == n << 20
    return seconds


n = common.size(1024)
seconds = common.run(main(n))
common.report("chunks", n, seconds, mib_per_s=common.mib_per_s(n, seconds))
