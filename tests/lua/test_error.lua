local errors = require "luvisor.error"
local options = require "luvisor.options"
local tap = require "luvisor.tap"

tap.test("an error is of its kind and of its code", function()
  local err = errors.new { kind = "SpawnError", code = "ENOENT",
                           message = 'spawn "x": No such file (ENOENT)' }
  tap.ok(err:is("SpawnError"), "kind")
  tap.ok(err:is("ENOENT"), "code")
  tap.ok(not err:is("Timeout"), "no other")
  tap.ok(not errors.new({ kind = "Closed" }):is(nil), "nor nil")
  tap.ok(errors.is_error(err), "is_error of one")
  tap.ok(not errors.is_error({ kind = "Closed" }), "is_error of a table")
end)

tap.test("an error prints as its message", function()
  local err = errors.new { kind = "Closed", message = "queue is closed" }
  tap.is(tostring(err), "queue is closed")
  tap.is("failed: " .. err, "failed: queue is closed", "and can be joined")
  tap.is(err .. "!", "queue is closed!")
end)

tap.test("without a message it is made of the other fields", function()
  tap.is(tostring(errors.new { kind = "OSError", op = "open", code = "EACCES",
                               subject = "/etc/x" }),
         'open "/etc/x": EACCES')
  tap.is(tostring(errors.new { kind = "Closed" }), "Closed")
end)

tap.test("the tail of stderr stands under the message", function()
  local err = errors.new { kind = "ExitError", message = '"make" exited 2',
                           stderr = "1\n2\n\n3\n4\r\n5\n6\n" }
  tap.is(tostring(err), '"make" exited 2\n  | 2\n  | 3\n  | 4\n  | 5\n  | 6')
  err.stderr = ""
  tap.is(tostring(err), '"make" exited 2', "none where it is empty")
end)

tap.test("stderr cannot move the reader's cursor", function()
  local err = errors.new { kind = "ExitError", message = "m",
                           stderr = "\27[31mred\27[0m\tx\27[2J\a" }
  tap.is(tostring(err), "m\n  | red\tx\\x1b[2J\\x07")
end)

tap.test("a huge stderr stays short", function()
  local err = errors.new { kind = "ExitError", message = "m",
                           stderr = ("x"):rep(1e6) .. "\n" .. ("y"):rep(1e4) }
  tap.ok(#tostring(err) < 1000, #tostring(err) .. " bytes")
end)

tap.test("a cause stands on a further line", function()
  local cause = errors.new { kind = "OSError", message = "disk full",
                             cause = "a bad day" }
  local err = errors.new { kind = "ConfigError", message = "cannot save",
                           cause = cause }
  tap.is(tostring(err),
         "cannot save\n  caused by: disk full\n    caused by: a bad day")
end)

tap.test("one error of a group is itself, more are a group", function()
  local a = errors.new { kind = "Closed", message = "a\nb" }
  local b = errors.new { kind = "Timeout", message = "late" }
  tap.is(errors.group {}, nil)
  tap.is(errors.group { a }, a)
  local group = errors.group { a, b, "a string" }
  tap.ok(group:is("ErrorGroup"))
  tap.is_deeply(group.errors, { a, b, "a string" })
  tap.is(tostring(group), "3 errors, the first: a\n  1: a\n  b\n  2: late\n"
                          .. "  3: a string")
end)

tap.test("an exit error names the program, not its arguments", function()
  local err = errors.exit { argv = { "login", "secret" }, status = "exited 1",
                            stdout = "", stderr = "no\n" }
  tap.ok(err:is("ExitError"))
  tap.is(tostring(err), '"login" exited 1\n  | no')
  tap.is_deeply(err.argv, { "login", "secret" })
  tap.is(errors.exit({ name = "db", argv = { "x" }, status = "exited 2" })
    .message, '"db" exited 2', "or what it was called")
end)

tap.test("raise raises the object itself", function()
  local fields = { kind = "Closed", message = "it is closed" }
  local _, err = tap.throws(function() errors.raise(fields) end, "Closed")
  tap.is(err, fields, "without a position or a copy")
  tap.throws(function() errors.raise { message = "x" } end, "UsageError",
             "a kind is needed")
  tap.throws(function() errors.new "text" end, "UsageError")
end)

tap.test("usage raises a UsageError", function()
  local _, err = tap.throws(function()
    errors.usage("queue: max must be %s, got %d", "positive", -1)
  end, "UsageError")
  tap.is(tostring(err), "queue: max must be positive, got -1")
end)

local spec = { timeout = "seconds", max_output = "size", name = "string",
               check = "boolean|table", jobs = "count", on_exit = "function",
               limit = "integer", ratio = "number", any = "any",
               sig = function(v) return v == "TERM", "a signal" end }

local function complaint(opts, a_spec)
  local ok, err = pcall(errors.check_options, "f", opts, a_spec or spec)
  return not ok and tostring(err) or nil
end

tap.test("good options pass", function()
  tap.is_deeply(errors.check_options("run", nil, spec), {}, "none at all")
  local opts = { timeout = 0.5, max_output = 0, check = false, name = "",
                 jobs = 1, on_exit = print, limit = -1, ratio = 1.5,
                 any = {}, sig = "TERM" }
  tap.is(errors.check_options("run", opts, spec), opts, "each of its type")
  tap.is(complaint({ check = { 0, 1 } }), nil, "the other type")
end)

tap.test("a wrong option is named with what it must be", function()
  local seconds = "timeout must be a number of seconds, 0 or more, got "
  local cases = {
    { { timeout = -1 }, seconds .. "-1" },
    { { timeout = "5" }, seconds .. 'string "5"' },
    { { timeout = 0 / 0 }, seconds .. tostring(0 / 0) },
    { { max_output = 1.5 },
      "max_output must be an integer, 0 or more, got 1.5" },
    { { check = 1 }, "check must be a boolean or a table, got 1" },
    { { jobs = 0 }, "jobs must be a positive integer, got 0" },
    { { name = {} }, "name must be a string, got table" },
    { { on_exit = true }, "on_exit must be a function, got true" },
    { { limit = print }, "limit must be an integer, got a function" },
    { { sig = "x" }, 'sig must be a signal, got string "x"' },
    { { "x" }, "unknown option [1]" },
    { { name = 1, jobs = 0 }, "jobs must be a positive integer, got 0" },
  }
  for _, case in ipairs(cases) do
    tap.is(complaint(case[1]), "f: " .. case[2], case[2])
  end
  tap.is(complaint("x"), 'f: options must be a table, got string "x"')
  tap.like(complaint { [{}] = 1 }, "^f: unknown option %[table")
end)

tap.test("an unknown option is named with the one that was meant", function()
  local meant = { timout = "timeout", Timeout = "timeout", nmae = "name",
                  ["max-output"] = "max_output", job = "jobs",
                  maxoutput = "max_output", time = "timeout" }
  for wrong, right in pairs(meant) do
    tap.is(complaint { [wrong] = 1 },
           ('f: unknown option %q; did you mean %q?'):format(wrong, right))
  end
  tap.is(complaint { colour = 1 }, 'f: unknown option "colour"',
         "or alone, where none is near")
end)

tap.test("the list part has one type for all its elements", function()
  local list = { [1] = "string", jobs = "count" }
  tap.is(complaint({ "a", "b", jobs = 2 }, list), nil)
  tap.is(complaint({ "a", 5 }, list), "f: element 2 must be a string, got 5")
  tap.is(complaint({ strin = 1 }, list), 'f: unknown option "strin"',
         "a type is no option")
end)

tap.test("the distance of two words counts letters", function()
  local cases = { { "", "", 0 }, { "abc", "abc", 0 }, { "abc", "", 3 },
                  { "", "abc", 3 }, { "kitten", "sitting", 3 },
                  { "ab", "ba", 1 }, { "enviroment", "environment", 1 } }
  for _, case in ipairs(cases) do
    tap.is(options.distance(case[1], case[2]), case[3],
           case[1] .. " and " .. case[2])
  end
end)

tap.test("the nearest word is found, if there is one", function()
  local commands = { "start", "status", "stop" }
  tap.is(errors.nearest("strat", commands), "start")
  tap.is(errors.nearest("sta", commands), "start", "of equals the first")
  tap.is(errors.nearest("shutdown", commands), nil)
end)

tap.done()
