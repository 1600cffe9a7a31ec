-- tests/support/logs.lua — Instances that are nothing but their log, for tests
-- of luvisor.supervisor.logs, and what their files hold.

local fs = require "luvisor.fs"
local logs = require "luvisor.supervisor.logs"
local process = require "luvisor.process"

local M = {}

M.dir = os.getenv "TMPDIR" .. "/log"

local Test = {}
Test.__index = Test

local function recorder(list)
  local journal = {}
  for _, level in ipairs { "info", "warning", "error" } do
    journal[level] = function(_, message, fields)
      list[#list + 1] = { level = level, message = message, fields = fields }
    end
  end
  return journal
end

--- An instance with this log, in a folder of its own.
-- @tparam table log as in a configuration, with what is not its default
-- @tparam[opt] table more fields of the instance
function M.new(log, more)
  local self = setmetatable({ said = {}, events = {} }, Test)
  log.keep = log.keep or 5
  self.inst = {
    name = "web", service = "web", spec = { log = log },
    sup = {
      config = { log = { dir = M.dir } }, log = recorder(self.said),
      events = { emit = function(_, type, event)
        event.type = type
        self.events[#self.events + 1] = event
      end },
    },
  }
  for key, value in pairs(more or {}) do self.inst[key] = value end
  self.log = logs.open(self.inst)
  return self
end

--- Close it and remove all files.
function Test:close()
  self.log:close()
  if fs.exists(M.dir) then fs.remove(M.dir, { recursive = true }) end
end

Test.__close = Test.close

--- Start a process that writes to it.
-- @tparam string script for a shell; or options of process.spawn
function Test:start(script)
  local opts = type(script) == "table" and script or { shell = script }
  local io = self.log:stdio()
  opts.stdout, opts.stderr = io.stdout, io.stderr
  local p = process.spawn(opts)
  self.log:started(p)
  return p
end

--- Wait for all output, however slow the disk; for ever while a stranger holds
-- the pipe.
function Test:drained()
  self.log:drained()
  for _, outlet in ipairs(self.log._outlets) do outlet:drained() end
end

--- Run one to its end, and wait for its output.
function Test:run(script)
  local p = self:start(script)
  local status = p:wait()
  self:drained()
  return status
end

local function path(name)
  return name:sub(1, 1) == "/" and name or M.dir .. "/" .. name
end

--- What is in a file; nil if there is none.
function M.read(name)
  name = path(name or "web.log")
  return fs.exists(name) and fs.read_file(name) or nil
end

--- The contents of the log and its rotated files, the oldest first.
function M.files(name)
  local list = {}
  name = name or "web.log"
  local number = 1
  while fs.exists(path(("%s.%d"):format(name, number))) do
    table.insert(list, 1, M.read(("%s.%d"):format(name, number)))
    number = number + 1
  end
  list[#list + 1] = M.read(name)
  return list
end

--- Names in the folder, sorted.
function M.names()
  local list = {}
  for _, entry in ipairs(fs.scandir(M.dir)) do list[#list + 1] = entry.name end
  return list
end

--- Do the files hold the lines from 1 on, each whole and in order?
-- @tparam {string,...} files
-- @tparam integer n how many
-- @tparam[opt] string pattern of a line; its capture is the number
-- @treturn boolean
-- @treturn ?string what is wrong
function M.are_complete(files, n, pattern)
  local expected = 1
  pattern = pattern or "^(%d+)$"
  for i, text in ipairs(files) do
    if #text > 0 and text:sub(-1) ~= "\n" then
      return false, ("file %d ends in the midst of a line"):format(i)
    end
    for line in text:gmatch "([^\n]*)\n" do
      local number = math.tointeger(tonumber(line:match(pattern)))
      if number ~= expected then
        return false, ("file %d: %q, expected %d"):format(i, line, expected)
      end
      expected = expected + 1
    end
  end
  if expected == n + 1 then return true end
  return false, ("ends at %d"):format(expected - 1)
end

return M
