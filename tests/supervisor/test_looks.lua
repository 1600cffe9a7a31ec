-- Whose the orphans are, told by a /proc that the test makes up.
local looks = require "luvisor.supervisor.looks"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"
local tree = require "luvisor.core.proctree"

local is, ok = tap.is, tap.ok

local real = { look = tree.look, env = tree.env }

-- What there is: lists of processes, and environments by pid.
local alive, dead, marks, looked

local function one(pid, session)
  return { pid = pid, start = 1000 + pid, session = session or pid,
           ppid = 1, state = "S", name = "x" }
end

local function test(name, fn)
  tap.test(name, function()
    alive, dead, marks, looked = {}, {}, {}, 0
    tree.look = function()
      looked = looked + 1
      local found = { alive, dead }
      return { orphans = function() return found[1], found[2] end,
               below = function() return {} end }
    end
    tree.env = function(pid) return marks[pid] end
    local self = looks.new()
    local inst = { name = "a", mark = "run:a:1", leader = 100 }
    self:mark(inst)
    self:lead(inst)
    fn(self, inst)
    tree.look, tree.env = real.look, real.env
  end)
end

test("by the session of its leader", function(self, inst)
  alive = { one(200, 100), one(300) }
  local seen = self:fresh()
  is(#seen.of[inst], 1)
  is(seen.of[inst][1], 200)
  is(#seen.nobodys, 1)
  ok(not seen.unsure)
end)

test("by its mark", function(self, inst)
  alive = { one(200), one(300) }
  marks[200], marks[300] = "run:a:1", "run:b:1"
  is(self:fresh().of[inst][1], 200)
  marks[200] = nil
  is(self:fresh().of[inst][1], 200, "its environment is read once")
end)

test("because it was seen below it", function(self, inst)
  self:saw(inst, { one(200), one(201) }, self:fresh())
  alive = { one(200), one(300) }
  is(self:fresh().of[inst][1], 200)
  alive = { { pid = 200, start = 5, session = 200 } }
  is(self:fresh().of[inst], nil, "another of that number is not meant")
end)

test("who was not seen for two looks is forgotten", function(self, inst)
  self:saw(inst, { one(200) }, self:fresh())
  self:saw(inst, {}, self:fresh())
  alive = { one(200) }
  is(self:fresh().of[inst][1], 200, "it may have been missed once")
  alive = {}
  for _ = 1, 3 do self:saw(inst, {}, self:fresh()) end
  is(next(self._known), nil)
end)

test("one that is being executed may be anybody's", function(self, inst)
  alive, marks[200] = { one(200) }, false
  local seen = self:fresh()
  ok(seen.unsure)
  is(seen.of[inst], nil)
  marks[200] = "run:a:1"
  seen = self:fresh()
  ok(not seen.unsure)
  is(seen.of[inst][1], 200)
end)

test("a zombie means doubt, once", function(self, inst)
  dead = { one(200) }
  ok(self:fresh().unsure, "it may have been anybody's, and left a child")
  ok(not self:fresh().unsure)
  dead = { one(201, 100) }
  local seen = self:fresh()
  ok(not seen.unsure)
  ok(seen.doubts[inst], "it was in its session")
  ok(not self:fresh().doubts[inst])
end)

test("nothing is kept of an instance that has ended", function(self, inst)
  alive = { one(200, 100), one(201) }
  marks[201] = inst.mark
  self:saw(inst, alive, self:fresh())
  self:forget(inst)
  for _, name in ipairs { "_leaders", "_marks", "_known", "_families" } do
    is(next(self[name]), nil, name)
  end
  is(#self:fresh().nobodys, 2)
end)

test("those who ask in one turn share a look, those who wait the next one",
  function(self)
    self:now()
    self:now()
    is(looked, 1)
    task.sleep(0)
    self:now()
    is(looked, 2, "a turn later it may be otherwise")
    self._next = time.now() + 0.05 -- none is due yet
    local got = {}
    task.nursery(function(n)
      for i = 1, 50 do
        n:spawn(function() got[i] = self:next() end)
      end
    end)
    is(looked, 3)
    ok(got[1] and got[1] == got[50])
  end)

tap.done()
