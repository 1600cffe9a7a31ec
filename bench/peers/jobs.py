"""Run /bin/echo many times, 64 at once, by a program made for that.

usage: jobs.py xargs|parallel SIZE. What they print is read here, in one pipe;
only parallel keeps the outputs of its commands apart.
"""

import subprocess
import sys
import time

import common

COMMANDS = {
    "xargs": ["xargs", "-P64", "-n1", "/bin/echo"],
    "parallel": ["parallel", "--will-cite", "-j64", "/bin/echo"],
}

name = sys.argv.pop(1)
n = common.size(4000)
start = time.monotonic()
try:
    done = subprocess.run(COMMANDS[name], input=b"hello\n" * n,
                          stdout=subprocess.PIPE, check=True)
except FileNotFoundError:
    print(f"no {name} (tools/deps bench)", file=sys.stderr)
    sys.exit(77)
seconds = time.monotonic() - start
assert done.stdout == b"hello\n" * n
common.report("run64", n, seconds, impl=name)
