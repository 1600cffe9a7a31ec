--- Where test points are counted and printed.
-- One context is open at a time: the script's, or that of a test inside it,
-- which prints its points indented, as a subtest.
-- @local

local errors = require "luvisor.error"
local show = require "luvisor.tap.show"

local M = {}

local root = { indent = "", count = 0, failed = 0 }
local current = root
local started, finished = false, false

local function emit(line)
  if not started then
    started = true
    io.stdout:write("TAP version ", os.getenv("TAP_VERSION") or "14", "\n")
  end
  io.stdout:write(line, "\n")
  io.stdout:flush()
end

-- A "#" would begin a directive.
local function description(text)
  return (text:gsub("%s", " "):gsub("[\\#]", "\\%0"))
end

local hidden = {} -- source of a chunk -> true

--- The chunk that calls this is never where a failure is.
function M.hide_source()
  hidden[debug.getinfo(2, "S").source] = true
end

-- "file:line" of whoever called into luvisor.tap.
local function caller()
  local level = 3
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then return "?" end
    if info.what ~= "C" and not hidden[info.source] then
      return info.source:gsub("^@", "") .. ":" .. info.currentline
    end
    level = level + 1
  end
end

-- The header of a subtest is printed with its first line.
local function begin(context)
  if finished then errors.usage("tap: a test point after tap.done()") end
  if context.begun or context == root then return end
  context.begun = true
  begin(context.parent)
  emit(context.parent.indent .. "# Subtest: " .. description(context.name))
end

local function emit_point(passed, name, directive, diagnostics)
  begin(current)
  current.count = current.count + 1
  if not passed and not current.todo then
    current.failed = current.failed + 1
  end
  emit(("%s%s %d - %s%s"):format(current.indent, passed and "ok" or "not ok",
                                 current.count, description(name), directive))
  if not passed then emit(show.yaml(diagnostics, current.indent)) end
  return passed
end

local function todo_directive()
  local reason = current.todo or current.outer_todo
  return reason and " # TODO " .. description(reason) or ""
end

--- Print one test point.
-- @tparam boolean passed
-- @tparam[opt] string name
-- @tparam[opt] table fields of diagnostics, printed if it failed
-- @treturn boolean passed
-- @raise UsageError: the name is no string
function M.point(passed, name, fields)
  if name ~= nil and type(name) ~= "string" then
    errors.usage("tap: the name of an assertion must be a string, got %s",
                 type(name))
  end
  local at = (not passed or not name) and caller()
  local diagnostics = { { "at", at } }
  table.move(fields or {}, 1, #(fields or {}), 2, diagnostics)
  return emit_point(passed, name or at, todo_directive(), diagnostics)
end

--- Are we inside a test?
-- @treturn boolean
function M.in_test()
  return current ~= root
end

--- Print a skipped test point.
-- @tparam string reason
function M.skip(reason)
  emit_point(true, "skipped", " # SKIP " .. description(reason))
end

--- Failures are none from here on.
-- @tparam string reason
-- @treturn function to be called where that ends
function M.set_todo(reason)
  local context, outer = current, current.todo
  context.todo = reason
  return function() context.todo = outer end
end

--- Print the plan of the context before its points.
-- @tparam integer n
function M.plan(n)
  if current.count > 0 or current.plan then
    errors.usage("tap.plan: must come before the first point, and once")
  end
  begin(current)
  current.plan = n
  emit(("%s1..%d"):format(current.indent, n))
end

--- Begin a test inside the context.
-- @tparam string name
function M.open(name)
  current = {
    name = name, parent = current, indent = current.indent .. "    ",
    count = 0, failed = 0,
    outer_todo = current.todo or current.outer_todo, -- makes our point one
  }
end

-- What is wrong with the points of the context, as fields of diagnostics.
local function check_points(context, fields)
  if context.failed > 0 then
    local text = ("%d of %d assertions failed"):format(context.failed,
                                                       context.count)
    fields[#fields + 1] = { "message", text }
  end
  if context.plan and context.plan ~= context.count then
    local text = ("planned %d, made %d"):format(context.plan, context.count)
    fields[#fields + 1] = { "plan", text }
  end
end

local function check_outcome(outcome, fields)
  local failure, leaked = outcome.failure, outcome.leaked
  if failure then
    fields[#fields + 1] = { "error", tostring(failure.err) }
    if failure.traceback then
      fields[#fields + 1] = { "traceback", failure.traceback }
    end
  end
  if leaked then fields[#fields + 1] = { "leaked", leaked } end
  if outcome.dump then fields[#fields + 1] = { "tasks", outcome.dump } end
end

-- A skip is no failure; take it out of the outcome.
local function take_skip(outcome)
  local err = outcome.failure and outcome.failure.err
  if not errors.is_error(err) or not err:is("Skip") then return nil end
  outcome.failure = nil
  return err.reason
end

--- End the test and print its point.
-- @tparam table outcome failure { err, traceback }, leaked, dump: where it has
-- @treturn boolean did it pass?
function M.close(outcome)
  local context, fields = current, {}
  local reason = take_skip(outcome)
  if reason then context.plan = nil end
  check_points(context, fields)
  check_outcome(outcome, fields)
  if context.count > 0 and not context.plan then
    emit(("%s1..%d"):format(context.indent, context.count))
  end
  current = context.parent
  local skips = reason and #fields == 0
  local directive = skips and " # SKIP " .. description(reason)
    or todo_directive()
  return emit_point(#fields == 0, context.name, directive, fields)
end

--- Print that the script has no tests to run. Its end is up to the caller.
-- @tparam string reason
function M.skip_all(reason)
  if current ~= root or root.count > 0 or root.plan then
    errors.usage("tap.skip_all: must come before the first test")
  end
  emit("1..0 # SKIP " .. description(reason))
  finished = true
end

--- End the script's own context.
-- @treturn boolean did all pass?
function M.done()
  if current ~= root then errors.usage("tap.done: called inside a test") end
  if finished then errors.usage("tap.done: called twice") end
  local passed = root.failed == 0
  if not root.plan then
    emit(root.count > 0 and "1.." .. root.count or "1..0 # SKIP no tests")
  elseif root.plan ~= root.count then
    emit(("# planned %d tests, ran %d"):format(root.plan, root.count))
    passed = false
  end
  if root.failed > 0 then
    emit(("# %d of %d tests failed"):format(root.failed, root.count))
  end
  finished = true
  return passed
end

--- The script has ended: if it did not get to `tap.done()`, that is a failure,
-- and the plan is still missing.
-- @treturn boolean did it?
function M.at_exit()
  if not started or finished then return true end
  current = root
  emit_point(false, "the script reaches tap.done()", "", {
    { "message", "it ended before" },
  })
  return M.done()
end

return M
