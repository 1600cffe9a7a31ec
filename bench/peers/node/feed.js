// Feed n MiB to cat and read them back at the same time.
"use strict";

const { once } = require("node:events");
const { check, now, report, size, start } = require("./common.js");

const CHUNK = 2 ** 18;

async function feed(stdin, total) {
  const data = Buffer.alloc(CHUNK, "x");
  for (let i = 0; i < total / CHUNK; i++)
    if (!stdin.write(data)) await once(stdin, "drain");
  stdin.end();
}

async function main(n) {
  const total = n * 2 ** 20;
  const begun = now();
  const [child, ended] = start(["/bin/cat"], ["pipe", "pipe", "inherit"]);
  let got = 0;
  child.stdout.on("data", (piece) => { got += piece.length; });
  await Promise.all([feed(child.stdin, total), ended]);
  const seconds = now() - begun;
  check(got === total, "some bytes did not come back");
  report("feed", n, seconds, { mib_per_s: n / seconds });
}

main(size(256));
