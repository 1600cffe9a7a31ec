// Read every line that a child writes: seq's, n of them. By hand: readline of
// Node takes several times as long.
"use strict";

const { check, now, report, size, start } = require("./common.js");

async function main(n) {
  const begun = now();
  const [child, ended] = start(["/usr/bin/seq", String(n)],
    ["ignore", "pipe", "inherit"]);
  let lines = 0, bytes = 0, rest = "";
  child.stdout.setEncoding("latin1").on("data", (text) => {
    const all = (rest + text).split("\n");
    rest = all.pop();
    for (const line of all) {
      lines++;
      bytes += line.length;
    }
  });
  await ended;
  const seconds = now() - begun;
  check(lines === n && rest === "", "some lines are missing");
  report("lines", n, seconds, { bytes });
}

main(size(5000000));
