// n async functions that each sleep once, for up to a second; the processor
// time.
"use strict";

const { setTimeout: sleep } = require("node:timers/promises");
const { now, report, size } = require("./common.js");

// 1 to 1000 ms, by the generator that every such program has.
let seed = 1n;
function nextDelay() {
  seed = (seed * 1103515245n + 12345n) & 0x7fffffffn;
  return Number((seed >> 8n) % 1000n) + 1;
}

function cpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function main(n) {
  const delays = Array.from({ length: n }, nextDelay);
  const begun = now(), before = cpu();
  await Promise.all(delays.map((delay) => sleep(delay)));
  report("timers", n, cpu() - before, { wall_s: now() - begun });
}

main(size(100000));
