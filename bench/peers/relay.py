"""Move n MiB of zeros from one child to another."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE

import common

CHUNK = 1 << 18


async def copy(source, sink):
    moved = 0
    while data := await source.read(CHUNK):
        sink.write(data)
        await sink.drain()
        moved += len(data)
    sink.close()
    return moved


async def main(n):
    start = common.now()
    a = await asyncio.create_subprocess_exec(
        "/usr/bin/head", "-c", str(n << 20), "/dev/zero",
        stdin=DEVNULL, stdout=PIPE, limit=1 << 20, pipesize=1 << 20)
    b = await asyncio.create_subprocess_exec(
        "/bin/cat", stdin=PIPE, stdout=DEVNULL, pipesize=1 << 20)
    moved = await copy(a.stdout, b.stdin)
    assert (await a.wait(), await b.wait()) == (0, 0)
    seconds = common.now() - start
    assert moved == n << 20
    return seconds


n = common.size(1024)
seconds = common.run(main(n))
common.report("relay", n, seconds, mib_per_s=common.mib_per_s(n, seconds))
