// Write a line to cat and read it back, again and again.
"use strict";

const { once } = require("node:events");
const { check, now, report, size, start } = require("./common.js");

const LINE = "the quick brown fox jumps over the lazy dog\n";

// The next line of a stream that says no more than was asked.
async function readLine(stdout) {
  let text = "";
  while (!text.endsWith("\n")) {
    const piece = stdout.read();
    if (piece === null) await once(stdout, "readable");
    else text += piece;
  }
  return text;
}

async function main(n) {
  const [child, ended] = start(["/bin/cat"], ["pipe", "pipe", "inherit"]);
  child.stdout.setEncoding("utf8");
  const begun = now();
  for (let i = 0; i < n; i++) {
    child.stdin.write(LINE);
    check(await readLine(child.stdout) === LINE, "another line came back");
  }
  const seconds = now() - begun;
  child.stdin.end();
  child.stdout.resume();
  await ended;
  report("roundtrip", n, seconds);
}

main(size(20000));
