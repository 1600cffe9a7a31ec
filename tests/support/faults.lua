--- Scenarios in which each call fails once, in each way that it may.
-- local faults = dofile(SOURCE .. "/tests/support/faults.lua")
-- For the tests of tests/fault, which luvisor-fault runs. Which calls there are
-- and how each may fail is in tests/fault/calls.c.

local core_os = require "luvisor.core.os"
local errors = require "luvisor.error"
local fault = require "luvisor.fault"
local leaks = require "luvisor.tap.leaks"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local M = {}

local LIMIT <const> = 10 -- seconds: then it has hung
local ALL <const> = 40 -- calls of one kind, of which each one fails

--- For opts.sites: where memory is asked for, by C and by Lua.
M.memory = { malloc = true, calloc = true, realloc = true }
M.lua_memory = { lua_alloc = true }

-- How else errors tell of an errno.
local texts <const> = { ENOMEM = "not enough memory", ESRCH = "has ended",
                        EINVAL = "cannot be caught" }

-- Whether an error tells of this errno, itself or by what it holds.
local function tells(err, errno)
  if texts[errno] and tostring(err):find(texts[errno]) then return true end
  if tostring(err):find("%f[%w]" .. errno .. "%f[%W]") then return true end
  if not errors.is_error(err) then return false end
  if err.code == errno then return true end
  if err.cause and tells(err.cause, errno) then return true end
  for _, one in ipairs(err.errors or {}) do
    if tells(one, errno) then return true end
  end
  return false
end

-- What is wrong with how a scenario ended, or nil. ECHILD: somebody else has
-- reaped the child, and how it ended nobody knows.
local function judge(case, ok, value)
  if case.errno == "ECHILD" then return nil end
  local unheard = ok and case.kind == "raised" and not case.tries_again
  if unheard then return "nobody heard of it" end
  if not ok and case.kind == "survived" then
    return "it raised " .. tostring(value)
  end
  if ok and value ~= case.expected and not case.fine[case.errno] then
    return "it returned " .. tostring(value):sub(1, 200)
  end
  if not ok and not tells(value, case.errno) then
    return "it raised " .. tostring(value)
  end
end

-- Our children, of which the runtime may not know.
local function children()
  local name <const> = ("/proc/self/task/%d/children"):format(core_os.getpid())
  local f <close> = io.open(name)
  return f and f:read "a" or ""
end

-- What is left of it, or nil.
local function left(case, before)
  local found = { leaks.tasks(before) or leaks.resources(before) }
  while fault.reap() do
    if case.errno ~= "ECHILD" then found[#found + 1] = "a zombie" end
  end
  if case.tidy then found[#found + 1] = case.tidy() end
  for pid in children():gmatch "%d+" do
    found[#found + 1] = "a child that nobody knows"
    fault.reap(tonumber(pid))
  end
  return found[1] and "left behind: " .. table.concat(found, "; ")
end

local function armed(case, n)
  fault.arm(case.site, n, case.errno, case.times)
  return case.run()
end

-- Runs it with the n-th call failing. Returns what is wrong, if anything, and
-- how many calls there were.
local function try(case, n)
  local before = leaks.snapshot()
  local ok, value = pcall(task.timeout, LIMIT, armed, case, n)
  local calls, failed = fault.disarm()
  local leaked = left(case, before)
  fault.pretend(case.lacks)
  local wrong = nil
  if failed > 0 then
    wrong = judge(case, ok, value)
  elseif not ok then
    wrong = "without a fault: " .. tostring(value)
  end
  if wrong and leaked then wrong = wrong .. "; " .. leaked end
  return wrong or leaked, calls
end

-- Some make a call for each process of the machine: not all of those.
local function after(case, n)
  if n < ALL or M.lua_memory[case.site] then return n + 1 end
  return n + n // 4
end

-- Each call in turn; how many there were. What was wrong is added to problems.
local function try_all(case, problems)
  local n, reached = 0, true
  while reached do
    n = after(case, n)
    local wrong, calls = try(case, n)
    reached = calls >= n
    if wrong then
      problems[#problems + 1] = ("%s of call %d: %s"):format(case.errno, n,
        wrong)
    end
  end
  return n - 1
end

-- The ways in which a site may fail: a list of {errno, kind}.
local function ways(scenario, site)
  local found, not_here = {}, scenario.not_here[site.name] or ""
  for _, kind in ipairs { "survived", "raised", "either" } do
    for _, errno in ipairs(site[kind]) do
      if not not_here:find(errno, 1, true) then
        found[#found + 1] = { errno, kind }
      end
    end
  end
  return found
end

local function case_of(scenario, site, way)
  return setmetatable({ site = site.name, errno = way[1], kind = way[2] },
    { __index = scenario })
end

-- One assertion, if the scenario calls this at all; whether it does.
local function try_site(scenario, site)
  local problems, errnos, calls = {}, {}, 0
  for i, way in ipairs(ways(scenario, site)) do
    local case = case_of(scenario, site, way)
    calls = math.max(calls, try_all(case, problems))
    errnos[i] = case.errno
    if calls == 0 then return false end
  end
  tap.is(table.concat(problems, "\n"), "", ("%s: %d calls, %s"):format(
    site.name, calls, table.concat(errnos, " ")))
  return true
end

-- What it returns; where the kernel, or valgrind, cannot do it, it is skipped.
local function undisturbed(run)
  local ok, value = pcall(run)
  if ok then return value end
  if tells(value, "ENOSYS") then tap.skip "not possible here" end
  error(value, 0)
end

local function new_scenario(run, opts)
  local scenario = { run = run, lacks = 0, times = 1, fine = {}, not_here = {} }
  for key, value in pairs(opts or {}) do scenario[key] = value end
  return scenario
end

local function wanted_sites(scenario)
  local list = {}
  for _, site in ipairs(fault.sites()) do
    local is_memory = M.memory[site.name] or M.lua_memory[site.name]
    local is_wanted = not is_memory
    if scenario.sites then is_wanted = scenario.sites[site.name] end
    if is_wanted then list[#list + 1] = site end
  end
  return list
end

--- A test: the scenario, with each call that it makes failing.
-- @tparam string name a sentence
-- @tparam function run the scenario; may wait, returns a value
-- @tparam[opt] table opts sites: a set of names (all but memory's); times: how
-- many calls fail (1); lacks: LV_LACKS_* of os/spawn.h (none); fine: a set of
-- errnos that explain another value; not_here: errnos that a site cannot give;
-- tidy: a function that is called after each run, and returns what it has found
-- that should not be there; tries_again: the scenario does, so that nobody need
-- hear of it
function M.test(name, run, opts)
  local scenario = new_scenario(run, opts)
  tap.test(name, function()
    fault.pretend(scenario.lacks)
    scenario.expected = undisturbed(run)
    local reached = false
    for _, site in ipairs(wanted_sites(scenario)) do
      reached = try_site(scenario, site) or reached
    end
    tap.ok(reached, "some are called")
    fault.pretend(0)
  end)
end

-- One call of a site, of those that there are as far as is known. Returns how
-- many those are.
local function try_any(scenario, site, problems)
  local of_site <const> = ways(scenario, site)
  local case = case_of(scenario, site, of_site[math.random(#of_site)])
  local n = math.random(math.max(1, site.calls or 1))
  local wrong, calls = try(case, n)
  if wrong then
    problems[#problems + 1] = ("%s: %s of call %d: %s"):format(site.name,
      case.errno, n, wrong)
  end
  return math.max(calls, site.calls or 0)
end

-- Those that are called at all.
local function called_sites(scenario)
  local list = {}
  for _, site in ipairs(wanted_sites(scenario)) do
    fault.arm(site.name, 0)
    scenario.run()
    site.calls = fault.disarm()
    if scenario.tidy then scenario.tidy() end
    if site.calls > 0 and #ways(scenario, site) > 0 then
      list[#list + 1] = site
    end
  end
  return list
end

--- A test: the scenario, with one call, chosen at random, that fails; so many
-- times. LUVISOR_SEED repeats a run.
-- @tparam string name a sentence
-- @tparam integer runs
-- @tparam function run as for test
-- @tparam[opt] table opts as for test
function M.sample(name, runs, run, opts)
  local scenario = new_scenario(run, opts)
  local seed = tonumber(os.getenv "LUVISOR_SEED" or os.time())
  tap.test(name, function()
    print("# LUVISOR_SEED=" .. seed)
    math.randomseed(seed)
    fault.pretend(scenario.lacks)
    scenario.expected = undisturbed(run)
    if scenario.tidy then scenario.tidy() end
    local sites, problems = called_sites(scenario), {}
    for i = 1, runs do
      local site = sites[i % #sites + 1]
      site.calls = try_any(scenario, site, problems)
    end
    tap.is(table.concat(problems, "\n"), "",
      ("%d times one of %d sites"):format(runs, #sites))
    fault.pretend(0)
  end)
end

return M
