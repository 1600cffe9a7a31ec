--- Tests that print TAP 14, the Test Anything Protocol.
-- `tap.test` runs a function in a task of its own, at once, and prints one test
-- point for it, with its assertions as a subtest. A test fails if an assertion
-- does, if it raises, and if it leaves tasks, children, open files or another
-- working directory behind. An assertion that fails does not end its test. The
-- script ends with `tap.done()`: one that does not get there has failed.
-- Readers that know only TAP 13 are served where they say so in TAP_VERSION,
-- as `prove` does.
-- @module luvisor.tap
-- @usage
--   local tap = require "luvisor.tap"
--   tap.test("two and two are four", function()
--     tap.is(2 + 2, 4, "by addition")
--     tap.is(2 * 2, 4, "by multiplication")
--   end)
--   tap.done()

local compare = require "luvisor.tap.compare"
local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local leaks = require "luvisor.tap.leaks"
local report = require "luvisor.tap.report"
local task = require "luvisor.task"
local time = require "luvisor.time"

local M = {}

local point = report.point
report.hide_source() -- a failure is where the script called us

--- Assert that a value is true (not false or nil).
-- @param value any
-- @tparam[opt] string name of the assertion; without it file and line, as for
-- all that follow
-- @treturn boolean did it hold? So for all that follow.
function M.ok(value, name)
  return point(not not value, name, { { "got", value } })
end

--- Assert that two values are the same (`==`; NaN is the same as NaN).
-- @param got what there is
-- @param expected what there should be
-- @tparam[opt] string name
-- @treturn boolean
function M.is(got, expected, name)
  return point(compare.same(got, expected), name, {
    { "got", got }, { "expected", expected },
  })
end

--- Assert that two values differ.
-- @param got what there is
-- @param unwanted what it must not be
-- @tparam[opt] string name
-- @treturn boolean
function M.isnt(got, unwanted, name)
  return point(not compare.same(got, unwanted), name, {
    { "got", got }, { "expected", "anything else" },
  })
end

--- Assert that a string matches a Lua pattern.
-- @tparam string got
-- @tparam string pattern
-- @tparam[opt] string name
-- @treturn boolean
function M.like(got, pattern, name)
  local matches = type(got) == "string" and got:find(pattern) ~= nil
  return point(matches, name, { { "got", got }, { "pattern", pattern } })
end

--- Assert that two values are equal, tables by what they hold. Metatables are
-- not compared. The report names the first difference.
-- @param got what there is
-- @param expected what there should be
-- @tparam[opt] string name
-- @treturn boolean
function M.is_deeply(got, expected, name)
  local found = compare.difference(got, expected)
  if not found then return point(true, name) end
  return point(false, name, {
    { "path", found.path },
    { "got", found.got },
    { "expected", found.expected },
  })
end

local function holds_fields(err, fields)
  if type(err) ~= "table" then return false end
  for key, value in pairs(fields) do
    if compare.difference(err[key], value) then return false end
  end
  return true
end

local function is_expected(err, expected)
  if expected == nil then return true end
  if type(expected) == "function" then return not not expected(err) end
  if type(expected) == "table" then return holds_fields(err, expected) end
  if errors.is_error(err) and err:is(expected) then return true end
  return tostring(err):find(expected) ~= nil
end

--- Assert that a function raises. It may wait.
-- @tparam function fn called without arguments
-- @param[opt] expected what it raises: a kind or code ("Timeout", "ENOENT"), a
-- Lua pattern that `tostring(err)` matches, a table of fields, or a function
-- that is given the error and returns true; without it anything
-- @tparam[opt] string name
-- @treturn boolean
-- @return the error
-- @usage
--   local tap = require "luvisor.tap"
--   local _, err = tap.throws(function() error("no such thing") end, "no such")
--   tap.like(err, "thing$")
--   tap.done()
function M.throws(fn, expected, name)
  local returned, err = pcall(fn)
  if returned then
    return point(false, name, {
      { "message", "it raised nothing" }, { "expected", expected },
    })
  end
  return point(is_expected(err, expected), name, {
    { "got", tostring(err) }, { "expected", expected },
  }), err
end

--- Assert that a function returns a true value some time: call it again and
-- again, with pauses, until it does. Waits. An error that it raises counts as
-- false. This is how to wait for what another process does.
-- @tparam function fn called without arguments; may wait
-- @tparam[opt=10] number timeout seconds
-- @tparam[opt] string name
-- @return the value, or false after the timeout
-- @usage
--   local tap = require "luvisor.tap"
--   tap.eventually(function() return io.open("/proc/self/stat") end)
--   tap.done()
function M.eventually(fn, timeout, name)
  if type(timeout) == "string" then timeout, name = nil, timeout end
  timeout = timeout or 10
  local pause, deadline = 0.001, time.now() + timeout
  while true do
    local returned, value = pcall(fn)
    if returned and value then
      point(true, name)
      return value
    end
    if time.now() >= deadline then
      return point(false, name, {
        { "message", ("not within %g s"):format(timeout) },
        returned and { "got", value } or { "error", tostring(value) },
      })
    end
    task.sleep(pause)
    pause = math.min(2 * pause, 0.1)
  end
end

--- Say beforehand how many points come: assertions inside a test, tests
-- outside. Another number is a failure.
-- @tparam integer n
-- @raise UsageError: not before the first point
function M.plan(n)
  if math.type(n) ~= "integer" or n < 1 then
    errors.usage("tap.plan: n must be a positive integer, got %s", tostring(n))
  end
  report.plan(n)
end

--- Skip what remains of the test; outside a test, print a skipped test point.
-- What failed before stays failed.
-- @tparam string reason
function M.skip(reason)
  if report.in_test() then
    errors.raise { kind = "Skip", message = "skipped: " .. reason,
                   reason = reason }
  end
  report.skip(reason)
end

--- Skip the whole script and end it, successfully. Before the first test.
-- @tparam string reason
-- @raise UsageError: after the first test
function M.skip_all(reason)
  report.skip_all(reason)
  os.exit(0)
end

--- Run assertions that are known to fail: they are reported, but do not fail
-- the test. It may wait.
-- @tparam string reason what is still to do
-- @tparam[opt] function fn called without arguments; without it the reason
-- itself is a point to do
function M.todo(reason, fn)
  local restore = report.set_todo(reason)
  if fn then
    local returned, err = pcall(fn)
    local skipped = errors.is_error(err) and err:is("Skip")
    if skipped then
      restore()
      error(err, 0)
    elseif not returned then
      point(false, "raises nothing", { { "error", tostring(err) } })
    end
  else
    point(false, "to do")
  end
  restore()
end

-- The stack where an error was raised, up to the test's own function.
local function with_traceback(err)
  local traceback = type(err) == "table" and err.traceback
    or debug.traceback("", 2):sub(2)
  traceback = traceback:gsub("\n[^\n]*in function 'xpcall'.*", "")
  return { err = err, traceback = traceback }
end

-- The test's own task. What it raises is an outcome, so that the nursery ends
-- only after we have looked at what the test left in it.
local function body(fn, outcome)
  local returned, failure = xpcall(fn, with_traceback)
  outcome.failure = not returned and failure or nil
end

-- Runs fn in a task, in a nursery of its own. Waits.
-- Returns { failure = { err, traceback }, leaked = text }, both may be absent.
local function run(fn)
  local outcome, before = {}, leaks.snapshot()
  local returned, err = pcall(task.nursery, function(nursery)
    nursery:spawn(body, fn, outcome):join()
    outcome.leaked = leaks.tasks(before)
    if outcome.leaked then outcome.dump = task.dump() end
    nursery:cancel()
  end)
  if not returned and not outcome.failure then
    local traceback = type(err) == "table" and err.traceback
    outcome.failure = { err = err, traceback = traceback or nil }
  end
  local resources = leaks.resources(before)
  if resources and outcome.leaked then
    outcome.leaked = outcome.leaked .. "; " .. resources
  end
  outcome.leaked = outcome.leaked or resources
  return outcome
end

--- Run a test: fn in a task of its own, now. Waits until it has ended. Tests
-- may be nested, but not run side by side.
-- @tparam string name a sentence that says what holds
-- @tparam function fn called without arguments; may wait
-- @treturn boolean did it pass?
function M.test(name, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then
    errors.usage("tap.test: takes a name and a function, got %s and %s",
                 type(name), type(fn))
  end
  report.open(name)
  return report.close(run(fn))
end

--- End the script: print the plan. If a test failed the process ends here,
-- with exit code 1.
-- @raise UsageError: inside a test
function M.done()
  if not report.done() then os.exit(1) end
end

core.at_exit(function()
  if not report.at_exit() then core.set_exit_code(1) end
end)

return M
