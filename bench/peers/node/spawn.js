// Start /bin/true and wait for it, one after another.
"use strict";

const { now, report, size, start } = require("./common.js");

async function main(n) {
  const begun = now();
  for (let i = 0; i < n; i++) await start(["/bin/true"])[1];
  report("spawn", n, now() - begun);
}

main(size(2000));
