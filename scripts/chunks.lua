#!/usr/bin/env luvisor
-- Read the output of a program in chunks of 1 KiB at most.
local process = require "luvisor.process"

local p <close> = process.spawn {
  "dd", "if=/dev/urandom", "bs=1024", "count=10",
  stdout = "pipe", stderr = "null",
}
local total, count = 0, 0
for chunk in p.stdout:chunks(1024) do
  count = count + 1
  total = total + #chunk
  print(("chunk %d: %d bytes"):format(count, #chunk))
end
p:wait()
print(("received in all: %d bytes"):format(total))
