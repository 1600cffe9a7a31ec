-- bench/soak/logs.lua — Is each line that a service wrote in its log, once, and
-- in order? What it wrote it has noted in runs/<name> (service.c).

local fs = require "luvisor.fs"
local process = require "luvisor.process"

local M = {}

local RECORD <const> = "<I8I8"

-- {lines it wrote at least, …}, one for each run.
local function runs_of(dir, name)
  local bytes = fs.read_file(("%s/runs/%s"):format(dir, name))
  local runs, at = {}, 1
  while at <= #bytes do
    local _, lines
    _, lines, at = RECORD:unpack(bytes, at)
    runs[#runs + 1] = lines
  end
  return runs
end

local function text_of(path)
  if not path:find "%.gz$" then return fs.read_file(path) end
  return process.run({ "gzip", "-dc", path }).stdout
end

local function complain(...)
  return (...):format(select(2, ...))
end

local plain <const> = "^(%d+) (%d+) x*\n()"
local stamped <const> = "^%d%S+ (%d+) (%d+) x*\n()"

-- Reads one file on from where the log stood. Returns what is wrong with it.
local function read(path, pattern, seen)
  local text, at = text_of(path), 1
  while at <= #text do
    local run, number, after = text:match(pattern, at)
    run, number = tonumber(run), tonumber(number)
    if not run then
      return complain("%s: byte %d: not a whole line: %q", path, at,
        text:sub(at, at + 60))
    end
    if run < seen.run then
      return complain("%s: run %d after run %d", path, run, seen.run)
    end
    if number ~= (seen[run] or 0) + 1 then
      return complain("%s: run %d: line %d after line %d", path, run, number,
        seen[run] or 0)
    end
    seen.run, seen[run], at = run, number, after
    seen.lines = seen.lines + 1
  end
  return nil
end

-- One line more than it has noted may have been written.
local function compare(name, runs, seen, over)
  for run = 1, over and #runs or #runs - 1 do
    local logged, written = seen[run] or 0, runs[run]
    if logged < written then
      return complain("%s: run %d: %d lines were written, %d are in the log",
        name, run, written, logged)
    end
    if logged > written + 1 then
      return complain("%s: run %d: %d lines were written, the log has %d",
        name, run, written, logged)
    end
  end
  return nil
end

local function list(dir)
  local names = {}
  for _, entry in ipairs(fs.scandir(dir .. "/log")) do
    local name, rest = entry.name:match "^(.-)%.log(.*)$"
    if name and not entry.name:find "%.tmp" then
      names[name] = names[name] or {}
      table.insert(names[name], { path = dir .. "/log/" .. entry.name,
        number = tonumber(rest:match "^%.(%d+)") or 0 })
    end
  end
  return names
end

local function check_one(fleet, name, over)
  local pattern = name:find "^stamped" and stamped or plain
  local runs, seen = runs_of(fleet.dir, name), { run = 0, lines = 0 }
  local files = list(fleet.dir)[name] or {}
  table.sort(files, function(a, b) return a.number > b.number end)
  for _, file in ipairs(files) do
    local fault = read(file.path, pattern, seen)
    if fault then return fault, seen.lines end
  end
  return compare(name, runs, seen, over), seen.lines
end

--- Check the logs of all that ever ran.
-- @tparam Fleet fleet
-- @tparam boolean over have all ended? Else the last runs are left out, and
-- what is wrong is looked at again: a file may be rotated while it is read
-- @treturn {string,...} what is wrong
-- @treturn integer lines
-- @treturn integer runs
function M.check(fleet, over)
  local faults, lines, runs = {}, 0, 0
  for _, entry in ipairs(fs.scandir(fleet.dir .. "/runs")) do
    local name = entry.name
    local ok, fault, n
    for _ = 1, over and 1 or 4 do
      ok, fault, n = pcall(check_one, fleet, name, over)
      if not ok then fault, n = tostring(fault), 0 end
      if not fault then break end
    end
    faults[#faults + 1] = fault
    lines, runs = lines + n, runs + #runs_of(fleet.dir, name)
  end
  return faults, lines, runs
end

return M
