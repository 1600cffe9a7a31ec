#!/usr/bin/env luvisor
-- Get the output of a process through callbacks.
local process = require "luvisor.process"
local sync = require "luvisor.sync"

local CODE = "import datetime; print(datetime.datetime.now())"

local function get_date()
  local output = {}
  local ended = sync.event()
  local date_protocol = {
    pipe_data_received = function(_, _, data)
      table.insert(output, data)
    end,
    -- process_exited may come before the last data; this comes after all.
    connection_lost = function() ended:set() end,
  }
  local _ <close> = process.spawn {
    "python3", "-c", CODE,
    stdout = "pipe", protocol = date_protocol,
  }
  ended:wait()
  return (table.concat(output):gsub("%s+$", ""))
end

print("current date: " .. get_date())
