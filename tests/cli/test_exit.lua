local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"

local LUVISOR <const> = os.getenv "LUVISOR"

-- Before every script that is run here.
local PRELUDE <const> = [[
  local lv = require "luvisor"
  local process, signal, task = lv.process, lv.signal, lv.task
  local function on_close(fn) return setmetatable({}, { __close = fn }) end
  local function wait_for_ever()
    signal.wait "USR1"
  end
  local function say(text)
    io.write(text, "\n")
    io.flush()
  end
]]

local function run(code, opts)
  opts = opts or {}
  opts[1], opts[2], opts[3] = LUVISOR, "-e", PRELUDE .. code
  opts.check, opts.timeout = false, 60
  return process.run(opts)
end

local function spawn(code, opts)
  opts = opts or {}
  opts[1], opts[2], opts[3] = LUVISOR, "-e", PRELUDE .. code
  opts.stdout = "pipe"
  return process.spawn(opts)
end

local function is_gone(pid)
  return not pcall(signal.send, pid, 0)
end

-- os.exit ---------------------------------------------------------------------

tap.test("the exit code is what the script says", function()
  local expected = {
    [""] = 0, ["os.exit()"] = 0, ["os.exit(0)"] = 0, ["os.exit(7)"] = 7,
    ["os.exit(255)"] = 255, ["os.exit(true)"] = 0, ["os.exit(false)"] = 1,
    ["os.exit(3, true)"] = 3, ["return 5"] = 0,
  }
  for code, exit_code in pairs(expected) do
    tap.is(run(code).code, exit_code, code)
  end
end)

tap.test("os.exit refuses what is no exit code", function()
  for _, wrong in ipairs { "256", "-1", "'1'", "1.5", "{}" } do
    local r = run(("os.exit(%s)"):format(wrong))
    tap.is(r.code, 1)
    tap.like(r.stderr, "an exit code is 0 to 255")
  end
end)

tap.test("nothing after os.exit runs, wherever it is called", function()
  local places = {
    ["a task"] = "task.spawn(function() os.exit(7) end) wait_for_ever()",
    ["pcall"] = "pcall(pcall, os.exit, 7)",
    ["xpcall"] = "xpcall(os.exit, function() say 'seen' end, 7)",
    ["try"] = "lv.try(os.exit, 7)",
    ["a shield"] = "task.shield(function() pcall(os.exit, 7) end)",
    ["a shielded nursery"] = [[
      task.shield(task.nursery, function(n)
        n:spawn(wait_for_ever)
        task.checkpoint()
        os.exit(7)
      end)]],
    ["a time limit"] = "pcall(task.timeout, 60, os.exit, 7)",
    ["settle"] = "task.settle(function() os.exit(7) end)",
    ["a generator"] = [[
      for _ in coroutine.wrap(function() os.exit(7) end) do say 'no' end]],
    ["a coroutine"] = [[
      coroutine.resume(coroutine.create(function() os.exit(7) end))]],
    ["table.sort"] = "table.sort({ 1, 2 }, function() os.exit(7) end)",
    ["gsub"] = "pcall(string.gsub, 'x', 'x', function() os.exit(7) end)",
    ["require"] = [[
      package.preload.ends = function() os.exit(7) end
      pcall(require, "ends")]],
    ["a variable's close"] = [[
      do local _ <close> = on_close(function() os.exit(7) end) end]],
    ["a detached task"] = [[
      task.detached(function() pcall(os.exit, 7) say 'no' end)
      wait_for_ever()]],
  }
  for place, code in pairs(places) do
    local r = run(code .. " say 'not reached'")
    tap.is(r.code, 7, place)
    tap.is(r.stdout .. r.stderr, "", place)
  end
end)

tap.test("os.exit in a finalizer ends the program at its next wait", function()
  local r = run [[
    setmetatable({}, { __gc = function() os.exit(7) end })
    collectgarbage()
    wait_for_ever()
  ]]
  tap.is(r.code, 7)
end)

tap.test("os.exit closes variables, which may wait, and flushes", function()
  local r = run [[
    local _ <close> = on_close(function()
      task.shield_for(60, task.sleep, 0.01)
      io.write "closed"
    end)
    task.spawn(function()
      local _ <close> = on_close(function() io.write "task " end)
      wait_for_ever()
    end)
    task.checkpoint()
    io.write "text "
    os.exit(7)
  ]]
  tap.is(r.code, 7)
  tap.is(r.stdout, "text task closed")
end)

tap.test("output is flushed through a pipe, however much", function()
  local r = run "for _ = 1, 50000 do io.write('0123456789') end os.exit(7)"
  tap.is(r.code, 7)
  tap.is(#r.stdout, 500000)
end)

tap.test("children are stopped when the program exits", function()
  local r = run [[
    local p = process.spawn { "sleep", "600" }
    say(p.pid)
    os.exit(7)
  ]]
  tap.is(r.code, 7)
  tap.ok(is_gone(tonumber(r.stdout)))
end)

tap.test("the last os.exit counts, in the cleanup too", function()
  tap.is(run([[
    local _ <close> = on_close(function() os.exit(9) end)
    os.exit(7)
  ]]).code, 9)
end)

-- at_exit ---------------------------------------------------------------------

tap.test("at_exit: the last one first, each may wait, when tasks have ended",
  function()
    local r = run [[
      task.at_exit(function() say "first" end)
      task.at_exit(function()
        task.sleep(0.001)
        say "second"
        task.at_exit(function() say "added" end)
      end)
      task.spawn(function()
        task.sleep(0.01)
        say "task"
      end)
      say "script"
    ]]
    tap.is(r.stdout, "script\ntask\nsecond\nadded\nfirst\n")
    tap.ok(r.ok)
  end)

tap.test("at_exit runs after errors, os.exit and signals as well", function()
  for _, ending in ipairs { "error 'oops'", "os.exit(7)",
                            "signal.send(process.adopt and 0 or 0, 0)" } do
    local r = run("task.at_exit(function() say 'cleaned up' end) " .. ending)
    tap.is(r.stdout, "cleaned up\n", ending)
  end
end)

tap.test("an error in at_exit is printed, the others run, the code is 1",
  function()
    local r = run [[
      task.at_exit(function() say "the other" end)
      task.at_exit(function() error "at the end" end)
      os.exit(0)
    ]]
    tap.is(r.code, 1)
    tap.is(r.stdout, "the other\n")
    tap.like(r.stderr, "^luvisor: %(command line%):%d+: at the end\nstack")
    tap.is(run("task.at_exit(error) os.exit(7)").code, 7, "a code given stays")
  end)

tap.test("os.exit in at_exit sets the code; the others run", function()
  local r = run [[
    task.at_exit(function() say "the other" end)
    task.at_exit(function()
      pcall(os.exit, 7)
      say "not reached"
    end)
  ]]
  tap.is(r.code, 7)
  tap.is(r.stdout, "the other\n")
  tap.is(r.stderr, "")
end)

tap.test("tasks and limits may be used in at_exit", function()
  local r = run [[
    task.at_exit(function()
      say(task.gather(function()
        task.sleep(0.001)
        return "gathered"
      end))
      say(tostring(task.move_on(0, task.sleep, 1)))
      task.spawn(function()
        task.sleep(0.001)
        say "spawned"
      end)
    end)
  ]]
  tap.is(r.stdout, "gathered\nfalse\nspawned\n")
  tap.ok(r.ok)
end)

-- Errors ----------------------------------------------------------------------

tap.test("an uncaught error: message, traceback and exit code 1", function()
  local r = run [[
    local function culprit() error "oops" end
    say "before"
    culprit()
  ]]
  tap.is(r.code, 1)
  tap.is(r.stdout, "before\n")
  tap.like(r.stderr, "^luvisor: %(command line%):%d+: oops\nstack traceback:\n"
    .. "\t%[C%]: in function 'error'\n"
    .. "\t%(command line%):%d+: in local 'culprit'\n"
    .. "\t%(command line%):%d+: in main chunk\n")
end)

tap.test("any value may be an error", function()
  local expected = {
    ["error('text', 0)"] = "text",
    ["error()"] = "nil",
    ["error(nil)"] = "nil",
    ["error(7)"] = "7",
    ["error(true)"] = "true",
    ["error {}"] = "(error object is a table value)",
    ["error { message = 'said' }"] = "said",
    ["error(setmetatable({}, { __tostring = function() return 'T' end }))"] =
      "T",
  }
  for code, text in pairs(expected) do
    local r = run(code)
    tap.is(r.code, 1, code)
    tap.is(r.stderr:sub(1, #text + 26), "luvisor: " .. text
      .. "\nstack traceback:", code)
  end
  local r = run "error(setmetatable({}, { __tostring = error }))"
  tap.is(r.code, 1)
  tap.like(r.stderr, "^luvisor: an error that cannot be shown")
end)

tap.test("an error object tells its cause, and where it was raised", function()
  local r = run [[
    local errors = require "luvisor.error"
    local function culprit()
      errors.raise { kind = "Mine", message = "it failed", cause = "the moon" }
    end
    task.timeout(60, task.nursery, function(n)
      n:spawn(function()
        task.checkpoint()
        culprit()
      end)
    end)
  ]]
  tap.is(r.code, 1)
  tap.like(r.stderr, "^luvisor: it failed\n  caused by: the moon\nstack "
    .. "traceback:\n.*in [^\n]*'culprit'")
end)

tap.test("each error that remains is printed", function()
  local r = run [[
    task.spawn(error, "one", 0)
    task.spawn(error, "two", 0)
    error("script", 0)
  ]]
  tap.is(r.code, 1)
  tap.like(r.stderr, "^luvisor: script\n.*luvisor: one\n.*luvisor: two\n")
  r = run [[
    task.nursery(function(n)
      n:spawn(error, "one", 0)
      n:spawn(error, "two", 0)
    end)
  ]]
  tap.like(r.stderr, "^luvisor: 2 errors, the first: one\n  1: one\n  2: two\n")
end)

tap.test("an error in one task ends the others and the script", function()
  local r = run [[
    task.spawn(function()
      local _ <close> = on_close(function() say "closed" end)
      wait_for_ever()
    end)
    task.spawn(function()
      task.sleep(0.001)
      error("oops", 0)
    end)
    wait_for_ever()
  ]]
  tap.is(r.code, 1)
  tap.is(r.stdout, "closed\n")
end)

tap.test("an error during the cleanup of os.exit(0) makes it 1", function()
  local r = run [[
    local _ <close> = on_close(function() error("cleanup", 0) end)
    os.exit(0)
  ]]
  tap.is(r.code, 1)
  tap.like(r.stderr, "^luvisor: cleanup\n")
end)

tap.test("a detached task's error is printed, and harms nobody", function()
  local r = run [[
    task.detached(function() error("oops", 0) end)
    task.detached(function()
      local _ <close> = on_close(function()
        task.shield_for(60, task.sleep, 0.001)
        say "cancelled at the end"
      end)
      wait_for_ever()
    end)
    task.sleep(0.001)
    say "script"
  ]]
  tap.is(r.code, 0)
  tap.is(r.stdout, "script\ncancelled at the end\n")
  tap.like(r.stderr, "^luvisor: a task failed: oops\n")
end)

tap.test("tasks of an abandoned generator's nursery end with the program",
  function()
    local r = run [[
      generator = coroutine.wrap(function()
        task.shield(task.nursery, function(n)
          n:spawn(function()
            local _ <close> = on_close(function() say "closed" end)
            wait_for_ever()
          end)
          coroutine.yield()
        end)
      end)
      generator()
      task.checkpoint()
      say "script"
    ]]
    tap.is(r.code, 0)
    tap.is(r.stdout, "script\nclosed\n")
    tap.is(r.stderr, "")
  end)

tap.test("finalizers at the end can neither wait nor begin anything",
  function()
    local r = run [[
      kept = setmetatable({}, { __gc = function()
        say(tostring(task.current()))
        local function kind_of(fn, ...)
          say(select(2, pcall(fn, ...)).kind)
        end
        kind_of(task.sleep, 0)
        kind_of(task.spawn, say)
        kind_of(task.detached, say)
        kind_of(signal.listen, { "USR1" })
        kind_of(process.spawn, { "true" })
        kind_of(lv.stream.pipe)
      end })
      -- All of it is loaded.
      local _ = lv.process, lv.stream, lv.signal
    ]]
    tap.is(r.code, 0)
    tap.is(r.stdout, "nil\nUsageError\nClosed\nClosed\nClosed\nClosed\n"
      .. "Closed\n")
  end)

-- Output that fails -----------------------------------------------------------

tap.test("output that cannot be written is an error", function()
  local full = { stdout = { file = "/dev/full" } }
  for _, code in ipairs { "print 'x'", "io.write 'x'",
                          "for _ = 1, 9999 do io.write('0123456789') end" } do
    local r = run(code, { stdout = full.stdout })
    tap.is(r.code, 1, code)
    tap.like(r.stderr, "No space left on device", code)
    r = run(code, { stdout = "close" })
    tap.is(r.code, 1, code)
    tap.like(r.stderr, "^luvisor: .*standard output", code)
  end
  tap.is(run("io.write 'x' os.exit(7)", { stdout = full.stdout }).code, 7)
  tap.is(run("", { stdout = "close" }).code, 0, "there was none")
end)

tap.test("who prints for nobody is ended", function()
  local p <close> = spawn("while true do print 'y' end", { stderr = "pipe" })
  tap.is(p.stdout:readline(), "y")
  p.stdout:close()
  tap.is(p:wait(60).code, 1)
  tap.like(p.stderr:read(), "standard output: Broken pipe %(EPIPE%)")
end)

tap.done()
