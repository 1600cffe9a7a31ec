--- Scenarios in which each call fails once, in each way that it may.
-- local faults = dofile(SOURCE .. "/tests/support/faults.lua")
-- For the tests of tests/fault, which the program luvisor-fault runs.

local core_os = require "luvisor.core.os"
local errors = require "luvisor.error"
local fault = require "luvisor.fault"
local leaks = require "luvisor.tap.leaks"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local M = {}

local LIMIT <const> = 10 -- seconds: then it has hung
local ALL <const> = 40 -- calls of one kind, of which each one fails

local memory <const> = { lua_alloc = true, malloc = true, calloc = true,
                         realloc = true }

-- How else errors tell of an errno.
local texts <const> = { ENOMEM = "not enough memory", ESRCH = "has ended",
                        EINVAL = "cannot be caught" }

-- Whether an error tells of this errno, itself or by what it holds.
local function tells(err, errno)
  if texts[errno] and tostring(err):find(texts[errno]) then return true end
  if not errors.is_error(err) then return false end
  if err.code == errno then return true end
  if err.cause and tells(err.cause, errno) then return true end
  for _, one in ipairs(err.errors or {}) do
    if tells(one, errno) then return true end
  end
  return false
end

-- What is wrong with how it ended, or nil.
local verdicts = {
  raised = function(_, ok)
    return ok and "nobody heard of it" or nil
  end,
  survived = function(_, ok, value)
    return not ok and "it raised " .. tostring(value) or nil
  end,
  either = function() end,
}

-- Somebody else has reaped the child: how it ended nobody knows.
local function judge(case, ok, value)
  if case.errno == "ECHILD" then return nil end
  if case.fine[case.errno] and ok then return nil end
  local wrong = verdicts[case.kind](case, ok, value)
  if wrong then return wrong end
  if ok and value ~= case.expected then
    return ("it returned %s"):format(tostring(value):sub(1, 200))
  end
  if not ok and not tells(value, case.errno) then
    return ("it raised %s"):format(tostring(value))
  end
end

-- Those that the kernel knows of.
local function children()
  local self <const> = "/proc/self/task/" .. core_os.getpid() .. "/children"
  local f <close> = io.open(self)
  return f and f:read "a" or ""
end

-- What is left of it, or nil.
local function left(case, before)
  local found = { leaks.tasks(before) or leaks.resources(before) }
  while fault.reap() do
    if case.errno ~= "ECHILD" then found[#found + 1] = "a zombie" end
  end
  for pid in children():gmatch "%d+" do
    found[#found + 1] = "a child that nobody knows"
    fault.reap(tonumber(pid))
  end
  return found[1] and "left behind: " .. table.concat(found, "; ")
end

local function armed(case, n)
  fault.arm(case.site, n, case.errno, case.times)
  return case.scenario()
end

-- Runs it with the n-th call failing. Returns what is wrong, if anything, and
-- whether there was an n-th call.
local function try(case, n)
  local before = leaks.snapshot()
  local ok, value = pcall(task.timeout, LIMIT, armed, case, n)
  local calls, failed = fault.disarm()
  local leaked = left(case, before)
  if case.lacks then fault.pretend(case.lacks) end
  local wrong = failed > 0 and judge(case, ok, value) or nil
  if failed == 0 and not ok then
    wrong = "without a fault: " .. tostring(value)
  end
  if wrong and leaked then wrong = wrong .. "; " .. leaked end
  return wrong or leaked, calls >= n
end

-- Some make a call for each process of the machine: not all of those.
local function after(case, n)
  if case.all or n < ALL then return n + 1 end
  return n + n // 4
end

-- Each call in turn; a list of what was wrong, and how many calls there were.
local function try_all(case)
  local found, n, reached = {}, 0, true
  while reached do
    n = after(case, n)
    local wrong
    wrong, reached = try(case, n)
    if wrong then
      found[#found + 1] = ("%s of call %d: %s"):format(case.errno, n, wrong)
    end
  end
  return found, n - 1
end

local function possible(scenario, site, kind)
  local errnos, not_here = {}, scenario.not_here[site.name] or ""
  for _, errno in ipairs(site[kind]) do
    if not not_here:find(errno, 1, true) then errnos[#errnos + 1] = errno end
  end
  return errnos
end

local function try_site(scenario, site)
  local problems, errnos, calls = {}, {}, 0
  for _, kind in ipairs { "survived", "raised", "either" } do
    for _, errno in ipairs(possible(scenario, site, kind)) do
      local case = { site = site.name, errno = errno, kind = kind,
                     scenario = scenario.run, expected = scenario.expected,
                     lacks = scenario.lacks or 0, times = scenario.times,
                     all = memory[site.name], fine = scenario.fine }
      local found, n = try_all(case)
      table.move(found, 1, #found, #problems + 1, problems)
      calls = math.max(calls, n)
      errnos[#errnos + 1] = errno
      if n == 0 then return nil end
    end
  end
  return problems, ("%s: %d calls, %s"):format(site.name, calls,
    table.concat(errnos, " "))
end

--- A test: the scenario, with each call that it makes failing.
-- @tparam string name a sentence
-- @tparam function run the scenario; may wait, returns a value
-- @tparam[opt] table opts sites: a set of names (all but memory's); times: how
-- many calls fail (1); lacks: LV_LACKS_* of os/spawn.h (none); fine: a set of
-- errnos that explain another value; not_here: errnos that a site cannot give
function M.test(name, run, opts)
  opts = opts or {}
  tap.test(name, function()
    local scenario = { run = run, lacks = opts.lacks, times = opts.times, fine = opts.fine or {},
                       not_here = opts.not_here or {} }
    fault.pretend(opts.lacks or 0)
    scenario.expected = run()
    local reached = 0
    for _, site in ipairs(fault.sites()) do
      local wanted = not memory[site.name]
      if opts.sites then wanted = opts.sites[site.name] end
      local problems, what
      if wanted then problems, what = try_site(scenario, site) end
      if problems then
        reached = reached + 1
        tap.is(table.concat(problems, "\n"), "", what)
      end
    end
    tap.ok(reached > 0, "some are called")
    fault.pretend(0)
  end)
end

M.memory = { malloc = true, calloc = true, realloc = true }
M.lua_memory = { lua_alloc = true }

return M
