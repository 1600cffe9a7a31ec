--- One way out: a sink, opened when it is first needed, what is heard of it,
-- and what is done about that.
-- @local

local core = require "luvisor.core.sink"
local errors = require "luvisor.error"
local gzip = require "luvisor.supervisor.logs.gzip"
local matching = require "luvisor.supervisor.logs.matching"
local news = require "luvisor.supervisor.logs.news"
local time = require "luvisor.time"

local M = {}

local Outlet = {}
Outlet.__index = Outlet
Outlet.__name = "luvisor.supervisor.outlet"

--- Make one; nothing is opened yet.
-- @tparam Instance inst
-- @tparam table settings from settings.outlets
function M.new(inst, settings)
  return setmetatable({ inst = inst, settings = settings }, Outlet)
end

--- What it writes to, in words.
function Outlet:place()
  local s = self.settings
  if s.target == "file" then return s.path end
  if s.target == "journal" then return s.path and "the journal" or "syslog" end
  return s.target == "null" and "nowhere" or ("our own descriptor %d"):format(
    s.fd)
end

-- Telling ---------------------------------------------------------------------

--- A line in luvisor's own log.
function Outlet:report(level, message, fields)
  local log = self.inst.sup.log
  fields = fields or {}
  fields.service, fields.log = self.inst.name, self:place()
  log[level](log, message, fields)
end

function Outlet:_emit(what, event)
  event.service, event.what, event.log = self.inst.name, what, self:place()
  self.inst.sup.events:emit("log", event)
end

-- What becomes of the output meanwhile.
local meanwhile = {
  [true] = "what does not fit into memory is dropped",
  [false] = "the service waits when its pipe is full",
}

local function text_of(err)
  if err.code == "EBUSY" then return "another process writes it" end
  return (tostring(err):match "[^\n]*":gsub("^write ", ""))
end

local heard = {}

function heard.pressed(self)
  local err = self.sink:error()
  if not err then return end
  self.pressed_at = time.now()
  local text = text_of(err)
  self:_emit("pressure", { error = text, code = err.code,
                           on_pressure = self.settings.drop and "drop"
                             or "block" })
  self:report("warning", "its log cannot be written: "
    .. meanwhile[self.settings.drop or false], { error = text })
end

function heard.relieved(self)
  local seconds = self.pressed_at and time.now() - self.pressed_at or 0
  self:_emit("relief", { seconds = seconds })
  self:report("info", "its log can be written again",
    { seconds = ("%.1f"):format(seconds) })
end

function heard.gap(self)
  local bytes, lines = self.sink:gap()
  self:_emit("gap", { bytes = bytes, lines = lines })
  self:report("warning", "some of its output was dropped",
    { bytes = bytes, lines = lines })
end

function heard.unrotated(self)
  local text = text_of(self.sink:rotate_error())
  self:_emit("rotation", { error = text })
  self:report("warning", "its log cannot be rotated, and grows",
    { error = text })
end

function heard.rotated(self)
  if self.settings.gzip then gzip.start(self) end
end

function heard.tapped(self)
  local bytes = self.sink:take()
  if self.matcher then self.matcher:put(bytes) end
end

--- Called by the task that hears of all. What is heard while it is being opened
-- waits, for if it cannot be, that is an error and not news.
-- @tparam integer bits of core.news
function Outlet:hear(bits)
  if not self.sink then return end
  if not self.is_open then
    self.unheard = (self.unheard or 0) | bits
    return
  end
  for name, bit in pairs(core.news) do
    if bits & bit ~= 0 and heard[name] then heard[name](self) end
  end
end

-- Opening ---------------------------------------------------------------------

-- What a service should not be started with: it will not pass by itself.
local final = {
  EACCES = true, EPERM = true, ENOENT = true, ENOTDIR = true, EISDIR = true,
  ELOOP = true, ENAMETOOLONG = true, EROFS = true, EBUSY = true, ENXIO = true,
  EINVAL = true, ENODEV = true, ECONNREFUSED = true, EPROTOTYPE = true,
}

local function raise_unopened(self, err)
  errors.raise {
    kind = err.kind, code = err.code, op = "open", subject = self:place(),
    message = ("its log %s cannot be opened: %s"):format(self:place(),
      err.code == "EBUSY" and text_of(err)
        or text_of(err):gsub("^.-: ", "", 1)),
  }
end

local function open_sink(self)
  local id = news.add(self)
  local ok, sink = pcall(core.open, id, self.settings)
  if not ok then
    news.remove(id)
    error(sink, 0)
  end
  self.id, self.sink = id, sink
  if self.matcher then sink:tap(true) end
end

--- Have it open. Waits. A full disk is no failure: it is tried again.
-- @raise OSError: it cannot be
function Outlet:open()
  if self.is_open then return end
  if not self.sink then open_sink(self) end
  local err = self.sink:prepare()
  if err and final[err.code] then
    self:close()
    raise_unopened(self, err)
  end
  self.is_open = true
  if self.unheard then self:hear(self.unheard) end
  self.unheard = nil
  if self.settings.gzip then gzip.start(self) end
end

--- The writing end of a pipe, for the next process. Waits.
-- @treturn integer descriptor, ours until handed()
-- @raise as open
function Outlet:input()
  self:open()
  return self.sink:input()
end

--- The process has that.
function Outlet:handed()
  if self.sink then self.sink:handed() end
end

--- Call fn for each line that matches.
-- @tparam ?string pattern nil: no more
-- @tparam function fn
function Outlet:match(pattern, fn)
  self.matcher = pattern and matching.new(pattern, fn) or nil
  if self.sink then self.sink:tap(self.matcher ~= nil) end
end

--- Wait until its pipe is at its end and all is written.
function Outlet:drained()
  if not self.sink then return end
  if not news.is_heard() then self:match(nil) end
  self.sink:drained()
  if not self.sink or not self.matcher then return end
  heard.tapped(self) -- of the last job we may not have heard yet
  if self.matcher then self.matcher:flush() end
end

--- Take other settings.
function Outlet:change(settings)
  self.settings = settings
  if not self.sink then return end
  self.sink:change(settings)
  if settings.gzip then gzip.start(self) end
end

--- The file was moved away.
function Outlet:reopen()
  if self.sink then self.sink:reopen() end
end

local function say_lost(self, lost)
  self:_emit("lost", { bytes = lost })
  self:report("warning", "the end of its log could not be written",
    { bytes = lost })
end

--- Write what can be written, and close. Waits.
function Outlet:close()
  local sink, id = self.sink, self.id
  if not sink then return end
  self.sink, self.id, self.is_open, self.matcher = nil, nil, nil, nil
  self.unheard = nil
  gzip.stop(self)
  news.remove(id)
  local lost = sink:close()
  if lost > 0 then say_lost(self, lost) end
end

--- bytes, dropped, rotations, size.
function Outlet:stats()
  if self.sink then return self.sink:stats() end
  return { bytes = 0, dropped = 0, rotations = 0, size = 0 }
end

return M
