"""Read all that a child writes, n MiB of zeros, into memory."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE

import common


async def main(n):
    start = common.now()
    p = await asyncio.create_subprocess_exec(
        "/usr/bin/head", "-c", str(n << 20), "/dev/zero",
        stdin=DEVNULL, stdout=PIPE, limit=1 << 20, pipesize=1 << 20)
    out, _ = await p.communicate()
    seconds = common.now() - start
    assert (len(out), p.returncode) == (n << 20, 0)
    return seconds


n = common.size(1024)
seconds = common.run(main(n))
common.report("capture", n, seconds, mib_per_s=common.mib_per_s(n, seconds))
