-- The table of states: every cell of it, and walks at random.
local machine = require "luvisor.supervisor.machine"
local tap = require "luvisor.tap"

local is, ok = tap.is, tap.ok

local events = {}
for _, row in pairs(machine.table) do
  for event in pairs(row) do events[event] = true end
end

-- Actions that note their name, and a tell that notes the change.
local function recorder()
  local log = {}
  local actions = setmetatable({}, { __index = function(_, name)
    return function() log[#log + 1] = name end
  end })
  local function tell(inst, from)
    log[#log + 1] = from .. ">" .. inst.state
  end
  return log, actions, tell
end

tap.test("every cell leads to a state of the table, by a known action",
  function()
    local actions = require "luvisor.supervisor.actions"
    for state, row in pairs(machine.table) do
      for event, entry in pairs(row) do
        local cell = state .. "." .. event
        ok(machine.table[entry[1]], cell .. " leads to " .. entry[1])
        ok(entry[2] == nil or actions[entry[2]], cell .. " acts")
      end
    end
  end)

tap.test("every cell: the state is set, told, acted upon; or refused",
  function()
    for state, row in pairs(machine.table) do
      for event in pairs(events) do
        local inst = { name = "x", state = state }
        local log, actions, tell = recorder()
        local done = pcall(machine.step, inst, event, actions, tell)
        local entry = row[event]
        local cell = state .. "." .. event
        if entry then
          is(inst.state, entry[1], cell)
          is(#log, (entry[1] ~= state and 1 or 0) + (entry[2] and 1 or 0), cell)
        else
          ok(not done and inst.state == state and #log == 0, cell)
        end
      end
    end
  end)

tap.test("a request without meaning is refused in words", function()
  local inst = { name = "web", state = "stopped" }
  local _, err = pcall(machine.step, inst, "reload", {}, print)
  ok(err:is "Closed")
  is(err.message, "web: cannot reload a service that is stopped")
end)

tap.test("an event of ours without meaning is a bug", function()
  local inst = { name = "web", state = "stopped" }
  local _, err = pcall(machine.step, inst, "ready", {}, print)
  ok(tostring(err):find "bug: web: ready while stopped" ~= nil, tostring(err))
end)

tap.test("every request but reload has a meaning in every state", function()
  for state, row in pairs(machine.table) do
    ok(row.start, state .. ": start")
    ok(row.stop, state .. ": stop")
  end
end)

tap.test("no state is a trap: each is left by a request, and by itself if it "
  .. "is not one to stay in", function()
  local left_by = { -- what an owner of the state sends: a task, or a timer
    waiting = { "go" }, starting = { "ready", "unready", "failed" },
    stopping = { "halted", "retry", "again", "failed", "finished" },
    backoff = { "timer" },
  }
  for state, row in pairs(machine.table) do
    local is_left = state == "stopping" -- on its way to another already
    for event, entry in pairs(row) do
      is_left = is_left or machine.is_request[event] and entry[1] ~= state
    end
    ok(is_left, state .. " is left by a request")
    for _, event in ipairs(left_by[state] or {}) do
      ok(row[event] and row[event][1] ~= state, state .. "." .. event)
    end
  end
end)

tap.test("from each state each other is reached by requests and ends",
  function()
    for first in pairs(machine.table) do
      local seen, todo = { [first] = true }, { first }
      for _, state in ipairs(todo) do
        for _, entry in pairs(machine.table[state]) do
          if not seen[entry[1]] then todo[#todo + 1] = entry[1] end
          seen[entry[1]] = true
        end
      end
      for state in pairs(machine.table) do
        ok(seen[state], first .. " … " .. state)
      end
    end
  end)

tap.test("each request in each state: a step, or a sentence that says why not",
  function()
    for state in pairs(machine.table) do
      for event in pairs(machine.is_request) do
        local inst = { name = "x", state = state }
        local _, actions, tell = recorder()
        local done, err = pcall(machine.step, inst, event, actions, tell)
        ok(done or err.message == ("x: cannot %s a service that is %s"):format(
          event, state), state .. "." .. event)
      end
    end
  end)

tap.test("a process begins in starting only, by launch; ends by a verdict",
  function()
    local verdicts = { halted = true, retry = true, again = true,
                       failed = true, finished = true }
    for state, row in pairs(machine.table) do
      for event, entry in pairs(row) do
        local had = machine.has_process[state]
        local has = machine.has_process[entry[1]]
        local cell = state .. "." .. event
        if not had and has then
          ok(entry[1] == "starting" and entry[2] == "launch", cell)
        elseif had and not has then
          ok(verdicts[event], cell)
        end
      end
    end
  end)

tap.test("stop leads to stopped, at once or when the process has ended",
  function()
    for state in pairs(machine.table) do
      local inst = { name = "x", state = state }
      local _, actions, tell = recorder()
      machine.step(inst, "stop", actions, tell)
      if machine.has_process[state] then
        is(inst.state, "stopping", state)
        machine.step(inst, "halted", actions, tell)
      end
      is(inst.state, "stopped", state)
    end
  end)

-- A model of the outside: launch makes one process, a verdict ends it.
tap.test("random walks: one process at most, none without a state for it",
  function()
    local seed = os.time()
    math.randomseed(seed)
    print("# seed " .. seed)
    local names = {}
    for event in pairs(events) do names[#names + 1] = event end
    table.sort(names)
    local alive, most = 0, 0
    local actions = setmetatable({}, { __index = function(_, name)
      return function()
        if name == "launch" then alive = alive + 1 end
        most = math.max(most, alive)
      end
    end })
    local bad = 0
    local inst = { name = "x", state = "stopped" }
    local function tell(_, from)
      if machine.has_process[from] and not machine.has_process[inst.state] then
        alive = alive - 1
      end
    end
    for _ = 1, 100000 do
      pcall(machine.step, inst, names[math.random(#names)], actions, tell)
      local expected = machine.has_process[inst.state] and 1 or 0
      if alive ~= expected then bad = bad + 1 end
    end
    is(bad, 0)
    is(most, 1)
  end)

tap.done()
