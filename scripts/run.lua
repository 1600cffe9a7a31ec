#!/usr/bin/env luvisor
-- What process.run is made of: spawn, then communicate.
local lv = require "luvisor"
local process = require "luvisor.process"

local function run(options, input, timeout)
  local p <close> = process.spawn(options) -- stopped, should we leave early
  return p:communicate(input, { timeout = timeout })
end

local by_hand = run({ "tr", "a-z", "A-Z", stdin = "pipe", stdout = "pipe" },
                    "by hand", 5)
print(by_hand.stdout)

local ready_made = process.run {
  "tr", "a-z", "A-Z",
  input = "ready-made", timeout = 5,
}
print(ready_made.stdout)

local _, err = lv.try(run, { "sleep", "60" }, nil, 0.2)
print(err.kind)
