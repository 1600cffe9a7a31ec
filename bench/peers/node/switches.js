// n yields among 1000 async functions: a turn of the queue of microtasks each.
"use strict";

const { now, report, size } = require("./common.js");

const TASKS = 1000;

async function body(n) {
  for (let i = 0; i < n; i++) await null;
}

async function main(n) {
  const begun = now();
  await Promise.all(Array.from({ length: TASKS }, () => body(n / TASKS)));
  const seconds = now() - begun;
  report("switches", n, seconds, { ns_per_op: seconds / n * 1e9 });
}

main(size(1000000));
