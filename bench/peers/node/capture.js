// Read all that a child writes, n MiB of zeros, into memory.
"use strict";

const { check, now, report, size, start } = require("./common.js");

async function main(n) {
  const begun = now();
  const [child, ended] = start(
    ["/usr/bin/head", "-c", String(n * 2 ** 20), "/dev/zero"],
    ["ignore", "pipe", "inherit"]);
  const pieces = [];
  child.stdout.on("data", (piece) => pieces.push(piece));
  await ended;
  const all = Buffer.concat(pieces);
  const seconds = now() - begun;
  check(all.length === n * 2 ** 20, "short output");
  report("capture", n, seconds, { mib_per_s: n / seconds });
}

main(size(1024));
