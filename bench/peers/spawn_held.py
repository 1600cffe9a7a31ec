"""As spawn.py, with 1 GiB of touched memory in the parent."""

import asyncio

import common


async def main(n):
    held = b"x" * (1 << 30)
    start = common.now()
    for _ in range(n):
        p = await asyncio.create_subprocess_exec(
            "/bin/true", stdin=asyncio.subprocess.DEVNULL)
        assert await p.wait() == 0
    seconds = common.now() - start
    assert held[-1] == ord("x")
    return seconds


n = common.size(300)
common.report("spawn_held", n, common.run(main(n)))
