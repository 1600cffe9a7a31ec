"""Start /bin/true and wait for it, one after another."""

import asyncio

import common


async def main(n):
    start = common.now()
    for _ in range(n):
        p = await asyncio.create_subprocess_exec(
            "/bin/true", stdin=asyncio.subprocess.DEVNULL)
        assert await p.wait() == 0
    return common.now() - start


n = common.size(2000)
common.report("spawn", n, common.run(main(n)))
