-- The page docs/reference/machine.md: the life of a service, drawn from the
-- table of lua/luvisor/supervisor/machine.lua. A state, event or action that
-- has no words here is an error.

local machine = require "luvisor.supervisor.machine"

local states = { -- in the order of a life
  { "stopped", "It does not run: not started yet, stopped by somebody, or "
    .. "ended with a success code and not to be restarted." },
  { "waiting", "It is to run, and waits for what it requires, or for what it "
    .. "comes after; a job waits here for its time." },
  { "starting", "It is executed, and not ready yet." },
  { "running", "It is ready." },
  { "stopping", "It is being ended, or has ended by itself and what it left "
    .. "behind is being ended." },
  { "backoff", "It ended, and is started again after a delay." },
  { "failed", "It ended and is not restarted, or too often; the latter is "
    .. "tried again after `burst.retry_after`." },
  { "done", "A oneshot that has succeeded. It counts as ready." },
}

local events = { -- who sends them, and when
  { "start", "asked for: `luvisor start`, autostart, or because another "
    .. "requires it" },
  { "stop", "asked for: `luvisor stop`, `scale`, `apply`, a conflict, the end "
    .. "of luvisor" },
  { "restart", "asked for, or together with another of its group" },
  { "reload", "asked for" },
  { "go", "nothing is in its way any more, and it is time" },
  { "ready", "`ready` says so" },
  { "unready", "it was not ready in time, or cannot become so" },
  { "unhealthy", "`health` has failed too often, or the `watchdog` was not "
    .. "told" },
  { "lost", "what it requires does not run any more" },
  { "escalate", "the others of its group have failed too often: it fails with "
    .. "them" },
  { "timer", "the delay is over" },
  { "exit", "the leader has ended by itself, and others of the service are "
    .. "still there" },
  { "halted", "all have ended: it is to stay so" },
  { "retry", "all have ended: it is restarted after a delay" },
  { "again", "all have ended: it goes on at once, when nothing is in its way "
    .. "(a restart that was asked for; a job, at its time)" },
  { "failed", "all have ended: a failure, and no restart" },
  { "finished", "all have ended: a oneshot that has succeeded" },
}

local actions = {
  { "await", "look whether anything is in the way, and go or wait for it" },
  { "launch", "begin a life: hooks, spawn, readiness" },
  { "announce", "note when it was ready" },
  { "terminate", "`pre_stop`, the stop signal to all processes, KILL after the "
    .. "grace" },
  { "sweep", "end what the leader has left, in the same way" },
  { "delay", "set the timer of `backoff`" },
  { "give_up", "set the timer of `burst.retry_after`, if there is one" },
  { "reload", "do what `reload` says" },
  { "forget", "stop the timer" },
  { "settle", "stop the timer" },
}

local INTRO <const> = [[
# The life of a service

Each instance of a service is in one of eight states. What moves it is an event;
`lua/luvisor/supervisor/machine.lua` has a table that says for each state and
event which state comes next and what is done then. Nothing else changes a
state. An event that a row does not have is refused if a person sent it
(`luvisor reload` of a service that is stopped), and is a fault of luvisor's
otherwise.

The last processes of a service have ended before it leaves `starting`,
`running` or `stopping` for another state: in the other five there is none.

Events that change nothing are not drawn.
]]

local function names_of(list)
  local words = {}
  for _, one in ipairs(list) do words[one[1]] = one[2] end
  return words
end

local function check_words(used, list, what)
  local words = names_of(list)
  for name in pairs(used) do
    if not words[name] then error(("machine: no words for %s %s"):format(what,
      name)) end
  end
  for name in pairs(words) do
    if not used[name] then error(("machine: there is no %s %s"):format(what,
      name)) end
  end
end

local function check_all()
  local used = { states = {}, events = {}, actions = {} }
  for state, row in pairs(machine.table) do
    used.states[state] = true
    for event, entry in pairs(row) do
      used.events[event] = true
      if entry[2] then used.actions[entry[2]] = true end
    end
  end
  check_words(used.states, states, "state")
  check_words(used.events, events, "event")
  check_words(used.actions, actions, "action")
end

-- One arrow from a state to another, with all events that go this way.
local function drawing(out)
  out "```mermaid\nstateDiagram-v2"
  out "  [*] --> stopped"
  for _, from in ipairs(states) do
    for _, to in ipairs(states) do
      local labels = {}
      for _, event in ipairs(events) do
        local entry = machine.table[from[1]][event[1]]
        local shown = entry and entry[1] == to[1]
          and (entry[2] or from[1] ~= to[1])
        if shown then labels[#labels + 1] = event[1] end
      end
      if #labels > 0 then
        out(("  %s --> %s: %s"):format(from[1], to[1],
          table.concat(labels, ", ")))
      end
    end
  end
  out "```\n"
end

local function described(out, title, list)
  out(("## %s\n"):format(title))
  for _, one in ipairs(list) do out(("- `%s`: %s"):format(one[1], one[2])) end
  out ""
end

local function cell(entry)
  if not entry then return "" end
  return entry[2] and ("%s, *%s*"):format(entry[1], entry[2]) or entry[1]
end

-- Events are rows, for there are twice as many of them.
local function whole(out)
  out "## The table\n"
  out "The next state, and what is done then. Nothing: the event has no meaning"
  out "there.\n"
  local head, line = { "" }, { "---" }
  for i, state in ipairs(states) do
    head[i + 1], line[i + 1] = state[1], "---"
  end
  out(("| %s |\n| %s |"):format(table.concat(head, " | "),
    table.concat(line, " | ")))
  for _, event in ipairs(events) do
    local row = { event[1] }
    for i, state in ipairs(states) do
      row[i + 1] = cell(machine.table[state[1]][event[1]])
    end
    out(("| %s |"):format(table.concat(row, " | ")))
  end
end

return function()
  check_all()
  local parts = { "<!-- Written by tools/docs. -->", INTRO }
  local function out(text) parts[#parts + 1] = text end
  drawing(out)
  described(out, "States", states)
  described(out, "Events", events)
  described(out, "What is done", actions)
  whole(out)
  return table.concat(parts, "\n") .. "\n"
end
