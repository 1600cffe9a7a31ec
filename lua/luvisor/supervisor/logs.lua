--- Where the output of an instance goes: what it writes to stdout and stderr is
-- moved by C, from pipes to a file that is rotated, or to the journal, syslog,
-- luvisor's own output, or nowhere. No byte of it passes through Lua unless
-- somebody asks: `match` and `follow`.
-- @module luvisor.supervisor.logs

local core = require "luvisor.core.task"
local follow = require "luvisor.supervisor.logs.follow"
local outlet = require "luvisor.supervisor.logs.outlet"
local settings = require "luvisor.supervisor.logs.settings"
local stream = require "luvisor.stream"
local tail = require "luvisor.supervisor.logs.tail"
local task = require "luvisor.task"

local M = {}

local DRAIN <const> = 1 -- seconds that a stranger may hold a pipe

local Log = {}
Log.__index = Log
Log.__name = "luvisor.supervisor.log"

local function new_outlets(inst)
  local outlets = {}
  for i, one in ipairs(settings.outlets(inst)) do
    outlets[i] = outlet.new(inst, one)
  end
  return outlets
end

--- The log of an instance. Nothing is opened before its first start.
-- @tparam Instance inst
-- @treturn Log
function M.open(inst)
  return setmetatable({ _inst = inst, _outlets = new_outlets(inst) }, Log)
end

local function each(self, method, ...)
  for _, one in ipairs(self._outlets) do one[method](one, ...) end
end

-- Its streams go other ways than they did: that begins with a start.
local function replace(self)
  self._stale = nil
  each(self, "close")
  self._outlets = new_outlets(self._inst)
end

--- What the next process gets: a pipe of its own. Waits.
-- @treturn table stdout, stderr: values for process.spawn
-- @raise OSError: the log cannot be opened; not if its disk is full, that is
-- tried again while the service runs
function Log:stdio()
  if self._stale then replace(self) end
  local values = {}
  for _, one in ipairs(self._outlets) do
    local fd = one:input()
    for _, name in ipairs(one.settings.streams) do values[name] = fd end
  end
  return values
end

-- What a terminal shows comes through a pipe like all else.
local function record(self, tty)
  local writer = stream.open(self._outlets[1]:input(), "w")
  core.lasting(function()
    local _ <close> = writer
    tty:copy_to(writer)
  end)
end

--- The process has its ends of the pipes.
-- @tparam Process p
function Log:started(p)
  if p and p.tty then record(self, p.tty) end
  each(self, "handed")
end

--- Wait until all is written that a process wrote which has ended; but at most
-- a second, when somebody else holds its pipe. What that one writes later still
-- comes to the log.
function Log:drained()
  each(self, "handed")
  task.move_on(DRAIN, each, self, "drained")
end

-- Two files have no common order, unless each line begins with its time.
local function merged(lists, n, stamped)
  local all = table.move(lists[2], 1, #lists[2], #lists[1] + 1,
    table.move(lists[1], 1, #lists[1], 1, {}))
  if stamped then
    local place = {}
    for i, line in ipairs(all) do place[i] = { line:match "^%S*", i } end
    table.sort(place, function(a, b)
      if a[1] ~= b[1] then return a[1] < b[1] end
      return a[2] < b[2]
    end)
    for i, one in ipairs(place) do place[i] = all[one[2]] end
    all = place
  end
  return tail.last(all, n)
end

local function tail_of(one, n)
  if one.settings.target == "file" then
    if one.is_open then return tail.lines(one.settings.path, n) end
    local found, lines = pcall(tail.lines, one.settings.path, n)
    return found and lines or {}
  end
  if not one.sink then return {} end
  return tail.last(tail.split(one.sink:recent()), math.min(n, follow.KEPT))
end

--- The last lines, over rotated files. Of what goes to no file there are 200,
-- of 64 KiB. Where stdout and stderr have files of their own: those of stdout,
-- then those of stderr, half of each; in the order of time if that is before
-- them. None where the log could not be opened. Waits.
-- @tparam integer n
-- @treturn {string,...}
function Log:tail(n)
  local lists = {}
  for i, one in ipairs(self._outlets) do lists[i] = tail_of(one, n) end
  if #lists == 1 then return lists[1] end
  local stamped = self._outlets[1].settings.stamp ~= nil
  if not stamped and #lists[1] + #lists[2] > n then
    local half = math.max(n // 2, n - #lists[2])
    lists[1] = tail.last(lists[1], half)
    lists[2] = tail.last(lists[2], n - #lists[1])
  end
  return merged(lists, n, stamped)
end

--- Call fn with the captures of each line that matches, from now on; those that
-- are in the pipe already are looked at, too.
-- @tparam ?string pattern of Lua; nil: no more
-- @tparam[opt] function fn called with the captures, or with the match if there
-- are none; must not wait
function Log:match(pattern, fn)
  each(self, "match", pattern, fn)
end

--- Follow the log: an iterator of the lines that come, also for a `<close>`
-- variable. A slow reader holds up nobody.
-- @tparam[opt=0] integer n lines of what was before
-- @treturn Follower
-- @usage for line in inst.log:follow(10) do print(line) end
function Log:follow(n)
  local follower = follow.new(self._outlets, n or 0)
  return follower, nil, nil, follower
end

--- Somebody has moved the files: go on in new ones, from the next line on.
function Log:reopen()
  each(self, "reopen")
end

--- Take the rules of a changed spec, now. Where the streams go apart and went
-- together, or the other way round, from the next start on.
-- @tparam table _spec it is the instance's already
function Log:update(_spec)
  local list = settings.outlets(self._inst)
  local old = {}
  for i, one in ipairs(self._outlets) do old[i] = one.settings end
  self._stale = not settings.same_shape(old, list)
  if self._stale then return end
  for i, one in ipairs(self._outlets) do one:change(list[i]) end
end

--- Write what can be written and close all. Waits; twice is harmless. What a
-- full disk has no room for is lost then, and that is said.
function Log:close()
  task.shield(each, self, "close")
end

--- What has come so far.
-- @treturn table bytes, dropped (of these), rotations, size (of the file now)
function Log:stats()
  local sum = { bytes = 0, dropped = 0, rotations = 0, size = 0 }
  for _, one in ipairs(self._outlets) do
    for name, value in pairs(one:stats()) do sum[name] = sum[name] + value end
  end
  return sum
end

return M
