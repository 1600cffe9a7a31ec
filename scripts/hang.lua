#!/usr/bin/env luvisor
-- The deadlock: five megabytes fill the pipe, nobody reads them, and the child
-- blocks in its write while we wait for its end. luvisor says so on stderr;
-- without the bound of three seconds this would hang for ever.
-- See million.lua for the way out.
local lv = require "luvisor"
local process = require "luvisor.process"

local here = arg[0]:match("^.*/") or "./"

local p <close> = process.spawn {
  "python3", here .. "children/million.py",
  stdout = "pipe",
}
print("pid of the process: " .. p.pid)

local status, err = lv.try(p.wait, p, 3)
if not status then
  if not err:is("Timeout") then error(err) end
  print("still not ended, terminating it ...")
  p:terminate()
  status = p:wait()
end
print("the process returned: " .. status.returncode)
