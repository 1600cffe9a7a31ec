"""n children alive: start them, let others come and go, stop all."""

import asyncio
from asyncio.subprocess import DEVNULL

import common

EXITS = 200


async def start_all(n):
    start = common.now()
    children = [await asyncio.create_subprocess_exec(
        "/bin/sleep", "300", stdin=DEVNULL) for _ in range(n)]
    return children, common.now() - start


async def let_some_exit():
    start = common.now()
    for _ in range(EXITS):
        p = await asyncio.create_subprocess_exec("/bin/true", stdin=DEVNULL)
        assert await p.wait() == 0
    return common.now() - start


async def stop_all(children):
    start = common.now()
    for p in children:
        p.terminate()
    for p in children:
        await p.wait()
    return common.now() - start


async def main(n):
    children, started = await start_all(n)
    exits = await let_some_exit()
    stopped = await stop_all(children)
    return started, exits, stopped


n = common.size(2000)
started, exits, stopped = common.run(main(n))
common.report("alive", n, started + exits + stopped,
              start_s=round(started, 6), exit_us=round(exits / EXITS * 1e6, 3),
              stop_s=round(stopped, 6))
