-- Random writers, and whatever may happen to their log meanwhile: rotation,
-- other rules, files moved and removed, new processes. Each line is then there
-- once, whole, and in each file they are in order.
local fs = require "luvisor.fs"
local lv = require "luvisor"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local logs = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/logs.lua")

local ROUNDS <const> = 12
local SEED <const> = tonumber(os.getenv "SEED") or math.random(1 << 30)

print("# SEED=" .. SEED)
math.randomseed(SEED)

local random = math.random

local function pick(list)
  return list[random(#list)]
end

local function random_log()
  return {
    max_size = pick { 0, 3000, 20000, 100000, 300000 }, keep = 1000,
    timestamps = pick { false, false, "iso", "unix" },
    gzip = random(5) == 1, on_pressure = pick { "block", "block", "drop" },
  }
end

-- Lines of random lengths: few are long.
local function line(self, tag)
  local n = self.last[tag] + 1
  self.last[tag] = n
  local length = random(20) == 1 and random(3000) or random(0, 60)
  return ("%s %d %s\n"):format(tag, n, ("x"):rep(length))
end

-- A pipe takes so much at once that nobody else comes between.
local function write_lines(self, tag)
  local writer = self.writers[tag].stdin
  for _ = 1, random(300) do writer:write(line(self, tag)) end
end

-- One writer alone may write its lines in pieces.
local function write_pieces(self)
  local writer = self.writers.a.stdin
  local lines = {}
  for i = 1, random(2000) do lines[i] = line(self, "a") end
  local text, at = table.concat(lines), 1
  while at <= #text do
    local n = random(pick { 10, 1000, 100000 })
    writer:write(text:sub(at, at + n - 1))
    at = at + n
    if random(5) == 1 then task.sleep(0) end
  end
end

-- Grep writes each line by itself.
local by_lines <const> = { "grep", "--line-buffered", "" }

local function begin(self, program)
  local io = self.t.log:stdio()
  for _, tag in ipairs { "a", "b" } do
    self.writers[tag] = process.spawn {
      stdin = "pipe", stdout = pick { io.stdout, io.stderr },
      table.unpack(program or by_lines),
    }
  end
  self.t.log:started()
end

local function finish(self)
  for _, writer in pairs(self.writers) do
    writer.stdin:close()
    writer:wait()
  end
  self.t:drained()
end

local acts = {}

function acts.one(self) write_lines(self, pick { "a", "b" }) end

function acts.restart(self, program)
  finish(self)
  begin(self, program)
end

-- Nobody else may write then.
function acts.pieces(self)
  acts.restart(self, { "cat" })
  write_pieces(self)
  acts.restart(self)
end

function acts.both(self)
  task.nursery(function(n)
    n:spawn(write_lines, self, "a")
    n:spawn(write_lines, self, "b")
  end)
end

function acts.reopen(self)
  local from = logs.dir .. "/web.log"
  self.moved = self.moved + 1
  lv.try(fs.rename, from, ("%s/moved.%d"):format(logs.dir, self.moved))
  self.t.log:reopen()
end

function acts.change(self)
  self.t.inst.spec = { log = random_log() }
  self.t.log:update(self.t.inst.spec)
end

function acts.close(self)
  finish(self)
  self.t.log:close()
  begin(self)
end

local names = {}
for name in pairs(acts) do names[#names + 1] = name end
table.sort(names)

local function read(name)
  if not name:find "%.gz$" then return fs.read_file(name) end
  return process.run { "gzip", "-dc", name, check = true }.stdout
end

-- Waits for gzip.
local function all_files()
  tap.eventually(function() return not fs.exists(logs.dir .. "/web.log.gz.tmp")
  end, 20)
  local texts = {}
  for _, name in ipairs(logs.names()) do
    texts[name] = read(logs.dir .. "/" .. name)
  end
  return texts
end

-- Add the lines of a file to `seen`; what is wrong, or nil.
local function take_file(seen, name, text)
  local last = { a = 0, b = 0 }
  if #text > 0 and text:sub(-1) ~= "\n" then return name .. " is torn" end
  for whole in text:gmatch "[^\n]*" do
    local tag, number = whole:match "([ab]) (%d+) x*$"
    number = math.tointeger(tonumber(number))
    if whole ~= "" and not number then
      return ("%s: %q"):format(name, whole:sub(1, 100))
    end
    if number then
      if number <= last[tag] then return name .. " has no order" end
      if seen[tag][number] then return whole .. " is there twice" end
      last[tag], seen[tag][number] = number, true
    end
  end
end

local function gap_in(self, seen)
  for tag, last in pairs(self.last) do
    for i = 1, last do
      if not seen[tag][i] then
        return ("%s %d of %d is missing"):format(tag, i, last)
      end
    end
  end
end

local function fault(self)
  local seen = { a = {}, b = {} }
  for name, text in pairs(all_files()) do
    local wrong = take_file(seen, name, text)
    if wrong then return wrong end
  end
  return gap_in(self, seen)
end

-- Read along in a task; what it read is judged as one file.
local function follow(self)
  local lines = {}
  local follower = self.t.log:follow()
  return task.detached(function()
    local _ <close> = follower
    for one in follower do lines[#lines + 1] = one end
    local seen = { a = {}, b = {} }
    local text = table.concat(lines, "\n") .. "\n"
    if text:find "lines are missing here" then return nil end
    return take_file(seen, "what was followed", text) or gap_in(self, seen)
  end)
end

local function run(follows)
  local t <close> = logs.new(random_log())
  local self = { t = t, writers = {}, moved = 0, last = { a = 0, b = 0 } }
  local following = follows and follow(self)
  begin(self)
  local did = {}
  for i = 1, random(5, 25) do
    repeat did[i] = pick(names) until did[i] ~= "close" or not follows
    acts[did[i]](self)
  end
  finish(self)
  t.log:close()
  local wrong = fault(self) or following and following:join() or nil
  if wrong then print("# " .. table.concat(did, " ")) end
  tap.is(wrong, nil, "each line is there once")
end

for round = 1, ROUNDS do
  tap.test("round " .. round, function() run(round % 2 == 0) end)
end

tap.done()
