// Move n MiB of zeros from one child to another.
"use strict";

const { check, now, report, size, start } = require("./common.js");

async function main(n) {
  const begun = now();
  const [from, fromEnded] = start(
    ["/usr/bin/head", "-c", String(n * 2 ** 20), "/dev/zero"],
    ["ignore", "pipe", "inherit"]);
  const [to, toEnded] = start(["/bin/cat"], ["pipe", "ignore", "inherit"]);
  let moved = 0;
  from.stdout.on("data", (piece) => { moved += piece.length; }).pipe(to.stdin);
  await Promise.all([fromEnded, toEnded]);
  const seconds = now() - begun;
  check(moved === n * 2 ** 20, "some bytes were not moved");
  report("relay", n, seconds, { mib_per_s: n / seconds });
}

main(size(1024));
