// Run /bin/echo many times, 64 at once, and capture each stdout.
"use strict";

const { check, now, report, size, start } = require("./common.js");

const JOBS = 64;

async function runOne() {
  const [child, ended] = start(["/bin/echo", "hello"],
    ["ignore", "pipe", "inherit"]);
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text) => { out += text; });
  await ended;
  check(out === "hello\n", "echo said something else");
}

async function main(n) {
  let left = n;
  const worker = async () => {
    while (left-- > 0) await runOne();
  };
  const begun = now();
  await Promise.all(Array.from({ length: JOBS }, worker));
  report("run64", n, now() - begun);
}

main(size(4000));
