// Start Node with no work, again and again.
"use strict";

const { now, report, size, start } = require("./common.js");

async function main(n) {
  const begun = now();
  for (let i = 0; i < n; i++) await start([process.execPath, "-e", ""])[1];
  const seconds = now() - begun;
  report("startup", n, seconds, { ms_per_op: seconds / n * 1e3 });
}

main(size(200));
