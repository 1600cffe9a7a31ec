"""Feed n MiB to cat and read them back at the same time."""

import asyncio
from asyncio.subprocess import PIPE

import common

CHUNK = 1 << 18


async def feed(stdin, total):
    data = b"x" * CHUNK
    for _ in range(total // CHUNK):
        stdin.write(data)
        await stdin.drain()
    stdin.close()


async def drain(stdout):
    got = 0
    while data := await stdout.read(CHUNK):
        got += len(data)
    return got


async def main(n):
    total = n << 20
    start = common.now()
    p = await asyncio.create_subprocess_exec(
        "/bin/cat", stdin=PIPE, stdout=PIPE, limit=1 << 20, pipesize=1 << 20)
    _, got = await asyncio.gather(feed(p.stdin, total), drain(p.stdout))
    assert await p.wait() == 0
    seconds = common.now() - start
    assert got == total
    return seconds


n = common.size(256)
seconds = common.run(main(n))
common.report("feed", n, seconds, mib_per_s=common.mib_per_s(n, seconds))
