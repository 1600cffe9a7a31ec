// What the Node programs share: the size, the clock, children, the report.
"use strict";

const { spawn } = require("node:child_process");
const { once } = require("node:events");

const QUIET = ["ignore", "inherit", "inherit"];
const now = () => performance.now() / 1e3;
const size = (usual) => Number(process.argv[2] ?? usual);

function check(condition, what) {
  if (!condition) throw new Error(what);
}

// Start a child whose end is success: [child, promise of its end]
function start(argv, stdio = QUIET) {
  const child = spawn(argv[0], argv.slice(1), { stdio });
  const ended = once(child, "close").then(([code]) =>
    check(code === 0, `${argv[0]} ended with ${code}`));
  return [child, ended];
}

function report(bench, n, seconds, more = {}) {
  console.log(JSON.stringify({
    bench, impl: "node", n, seconds, us_per_op: seconds / n * 1e6, ...more,
  }));
}

module.exports = { check, now, report, size, start };
