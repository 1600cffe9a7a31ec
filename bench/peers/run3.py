"""Run cat with three pipes: feed stdin, capture stdout and stderr."""

import asyncio
from asyncio.subprocess import PIPE

import common


async def main(n):
    start = common.now()
    for _ in range(n):
        p = await asyncio.create_subprocess_exec(
            "/bin/cat", stdin=PIPE, stdout=PIPE, stderr=PIPE)
        out, err = await p.communicate(b"hello\n")
        assert (out, err, p.returncode) == (b"hello\n", b"", 0)
    return common.now() - start


n = common.size(2000)
common.report("run3", n, common.run(main(n)))
