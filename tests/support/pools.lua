-- What the tests of luvisor.pool share.
-- local pools = dofile(SOURCE .. "/tests/support/pools.lua")

local pool = require "luvisor.pool"
local tap = require "luvisor.tap"

local M = {}

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local TMP <const> = os.getenv "TMPDIR" or "/tmp"

--- A file with functions for workers.
M.MODULE = SOURCE .. "/tests/support/pool_functions.lua"
--- Where those of them write a pid that are told this.
M.TOLD = TMP .. "/told"
M.TMP = TMP

--- A pool of that module; opts as pool.new's.
function M.new(workers, opts)
  opts = opts or {}
  opts.workers, opts.module = workers, M.MODULE
  return pool.new(opts)
end

--- The pid that a function tells. Waits for it.
function M.told(path)
  path = path or M.TOLD
  local pid = tap.eventually(function()
    local file <close> = io.open(path)
    return file and file:read "n"
  end)
  os.remove(path)
  return pid
end

--- Has the process of this pid ended?
function M.is_gone(pid)
  local file <close> = io.open("/proc/" .. pid .. "/stat")
  local state = file and file:read("a"):match "%) (%a)"
  return not state or state == "Z" or state == "X"
end

--- A file in the test's directory, gone when the variable with it is closed.
function M.file(name, text)
  local path = TMP .. "/" .. name
  local f <close> = assert(io.open(path, "w"))
  f:write(text)
  return setmetatable({ path = path }, {
    __close = function() os.remove(path) end,
  })
end

return M
