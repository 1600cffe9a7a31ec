-- luvisor.tap tests itself: scripts that should fail run in a process of their
-- own, and what they print is compared.
local compare = require "luvisor.tap.compare"
local show = require "luvisor.tap.show"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local words = require "luvisor.words"

local function own_program()
  local stat <close> = assert(io.open "/proc/self/stat")
  return ("/proc/%d/exe"):format(stat:read "n")
end

local luvisor = os.getenv "LUVISOR" or own_program()
local path = os.tmpname()

local prelude = [[
require "luvisor.tap.leaks".GRACE = 0.5; ]] .. [[
local tap, task = require "luvisor.tap", require "luvisor.task"
]]

-- Runs a script. Returns what it printed and its exit code.
local function run(script, environment)
  local file = assert(io.open(path, "w"))
  file:write(prelude, script)
  file:close()
  local command = ("env -u TAP_VERSION %s %s 2>&1"):format(
    environment or "", words.quote { luvisor, path })
  local pipe = assert(io.popen(command))
  local output = pipe:read "a"
  local _, _, code = pipe:close()
  return output:gsub('[^\n "]*' .. path:match("[^/]*$") .. ":", "script:"), code
end

local function has(output, text, name)
  tap.ok(output:find(text, 1, true), name or text)
end

-- Runs one test with this body, and returns the output and whether it passed.
local function run_body(body)
  local output, code = run(("tap.test('t', function()\n%s\nend)\n"):format(body)
                           .. "tap.done()")
  return output, code == 0
end

local function passes(body, name)
  local output, passed = run_body(body)
  if not tap.ok(passed, name or body) then print(output) end
end

local function fails(body, ...)
  local output, passed = run_body(body)
  tap.ok(not passed, body)
  for _, text in ipairs { ... } do has(output, text) end
end

tap.test("a script that passes prints its tests and ends with 0", function()
  local output, code = run [[
tap.test("sums", function()
  tap.ok(true, "yes")
  tap.is(1 + 1, 2)
end)
tap.test("nothing asserted", function() end)
tap.ok(true, "outside")
tap.done()
print "after"]]
  tap.is(code, 0)
  tap.is(output, [[
TAP version 14
# Subtest: sums
    ok 1 - yes
    ok 2 - script:4
    1..2
ok 1 - sums
ok 2 - nothing asserted
ok 3 - outside
1..3
after
]])
end)

tap.test("a script that fails says where and why, and ends with 1", function()
  local output, code = run [[
tap.test("sums", function()
  tap.is(1 + 1, 3, "three")
  tap.ok(true, "goes on")
end)
tap.test("more", function() end)
tap.done()
print "not after"]]
  tap.is(code, 1)
  tap.is(output, [[
TAP version 14
# Subtest: sums
    not ok 1 - three
      ---
      at: "script:3"
      got: 2
      expected: 3
      ...
    ok 2 - goes on
    1..2
not ok 1 - sums
  ---
  message: "1 of 2 assertions failed"
  ...
ok 2 - more
1..2
# 1 of 2 tests failed
]])
end)

tap.test("assertions that hold pass", function()
  passes "tap.ok(1)"
  passes "tap.is(0/0, 0/0, 'NaN')"
  passes "tap.isnt(1, 2)"
  passes "tap.isnt({}, {}, 'two tables')"
  passes "tap.like('hello', '^h.l+o$')"
  passes "tap.is_deeply({ 1, { x = {} } }, { 1, { x = {} } })"
  passes "tap.throws(error)"
  passes "assert(tap.ok(1) == true)"
end)

tap.test("assertions that do not hold fail and show the values", function()
  fails("tap.ok(nil)", "got: nil")
  fails("tap.ok(false)", "got: false")
  fails("tap.is(1, '1')", "got: 1\n", 'expected: "1"')
  fails("tap.is({ 1 }, { 1 })", 'got: "{1}"')
  fails("tap.isnt(1, 1)", "got: 1")
  fails("tap.like('hello', '^x')", 'got: "hello"', 'pattern: "^x"')
  fails("tap.like(nil, 'x')", "got: nil")
  fails("tap.is_deeply({ a = { 1, 2 } }, { a = { 1, 3 } })",
        'path: ".a[2]"', "got: 2", "expected: 3")
  fails("tap.is('a\\nb', '')", "got: |\n        a\n        b\n", 'expected: ""')
  fails("assert(tap.ok(nil) == true)", "assertion failed!")
end)

tap.test("throws takes a kind, a code, a pattern, fields or a function",
  function()
    local raise = [[
      local function f()
        require("luvisor.error").raise {
          kind = "OSError", code = "ENOENT", message = "open: no file" }
      end
    ]]
    for _, expected in ipairs { "'OSError'", "'ENOENT'", "'no f%a+'",
                                "{ kind = 'OSError', code = 'ENOENT' }",
                                "function(e) return e.code end", "nil" } do
      passes(raise .. ("tap.throws(f, %s, 'n')"):format(expected), expected)
    end
    passes(raise .. "local _, e = tap.throws(f); tap.is(e.code, 'ENOENT')",
           "and returns the error")
    fails(raise .. "tap.throws(f, 'Timeout')", 'got: "open: no file"',
          'expected: "Timeout"')
    fails(raise .. "tap.throws(f, { code = 'EACCES' })")
    fails(raise .. "tap.throws(f, function() end)")
    fails("tap.throws(function() end, 'x')", "it raised nothing")
  end)

tap.test("eventually waits for a true value", function()
  local tries = 0
  local value = tap.eventually(function()
    tries = tries + 1
    if tries == 2 then error "not yet" end
    return tries > 3 and "there"
  end)
  tap.is(value, "there")
  fails("tap.eventually(function() return nil end, 0.01, 'n')",
        "not ok 1 - n", "not within 0.01 s", "got: nil")
  fails("tap.eventually(function() error('boo', 0) end, 0.01)",
        'error: "boo"')
end)

tap.test("a test that raises fails, and the next one runs", function()
  local output, code = run [[
tap.test("bad", function()
  tap.ok(true, "so far")
  error "oops"
end)
tap.test("good", function() end)
tap.done()]]
  tap.is(code, 1)
  has(output, '\n  error: "script:4: oops"\n')
  has(output, "\n    \t[C]: in function 'error'\n")
  has(output, "\n    1..1\nnot ok 1 - bad\n")
  has(output, "\nok 2 - good\n")
end)

tap.test("a test fails when a task in it does", function()
  fails([[task.spawn(function() error("in a task", 0) end)
    task.sleep(60)]], 'error: "in a task"')
end)

tap.test("a test that cancels itself fails", function()
  fails "task.current():cancel() task.sleep(60)"
end)

tap.test("a test that leaves a task behind fails, and the task is ended",
  function()
    fails([[task.spawn(function()
      local _ <close> = setmetatable({}, { __close = function()
        print "closed"
      end })
      task.sleep(3600)
    end)]], 'leaked: "1 task"', "closed")
    passes("task.spawn(function() task.sleep(0.01) end)",
           "one that is about to end is none")
  end)

tap.test("a test that leaves a file open fails", function()
  fails("KEPT = io.open '/dev/null'", ' (/dev/null)"', 'leaked: "fd ')
  passes("local _ = io.open '/dev/null'", "one that nobody holds is closed")
end)

tap.test("a test that leaves a child behind fails", function()
  if not pcall(require, "luvisor.process") then
    tap.skip "luvisor.process is not there"
  end
  fails("KEPT = require('luvisor.process').spawn { 'sleep', '60' }",
        'leaked: "child ')
  passes "require('luvisor.process').run { 'true' }"
end)

tap.test("tests may be nested", function()
  local output, code = run [[
tap.test("outer", function()
  tap.test("inner", function() tap.ok(false, "no") end)
  tap.ok(true, "yes")
end)
tap.done()]]
  tap.is(code, 1)
  has(output, [[
# Subtest: outer
    # Subtest: inner
        not ok 1 - no
]])
  has(output, "\n        1..1\n    not ok 1 - inner\n")
  has(output, "\n    ok 2 - yes\n    1..2\nnot ok 1 - outer\n")
end)

tap.test("a skipped test passes, what failed before stays failed", function()
  local output, code = run [[
tap.test("a", function() tap.skip "no gpg" error "not reached" end)
tap.test("b", function() tap.plan(3) tap.ok(1, "x") tap.skip "no gpg" end)
tap.skip "no net"
tap.done()]]
  tap.is(code, 0)
  has(output, "ok 1 - a # SKIP no gpg\n")
  has(output, "ok 2 - b # SKIP no gpg\n")
  has(output, "ok 3 - skipped # SKIP no net\n")
  fails("tap.ok(false) tap.skip 'why'", "not ok 1 - t\n")
end)

tap.test("a skipped script ends at once", function()
  local output, code = run "tap.skip_all 'no cgroups' print 'not reached'"
  tap.is(code, 0)
  tap.is(output, "TAP version 14\n1..0 # SKIP no cgroups\n")
  fails("tap.skip_all 'x'", "must come before the first test")
  code = select(2, run "tap.ok(1) tap.skip_all 'x'")
  tap.is(code, 1, "but not after a test")
end)

tap.test("what is to do may fail", function()
  local output, code = run [[
tap.test("a", function()
  tap.todo("later", function()
    tap.ok(false, "x")
    error "y"
  end)
  tap.todo("an idea")
  tap.ok(true, "z")
end)
tap.todo("all of it", function()
  tap.test("b", function() tap.ok(false, "w") end)
end)
tap.done()]]
  tap.is(code, 0)
  has(output, "    not ok 1 - x # TODO later\n")
  has(output, "    not ok 2 - raises nothing # TODO later\n")
  has(output, "    not ok 3 - to do # TODO an idea\n")
  has(output, "    ok 4 - z\n    1..4\nok 1 - a\n")
  has(output, "    not ok 1 - w # TODO all of it\n")
  has(output, "\nnot ok 2 - b # TODO all of it\n")
  fails("tap.todo('x', function() end) tap.ok(false)", "not ok 1 - t\n")
end)

tap.test("a plan is printed first and must be kept", function()
  local output, code = run [[
tap.plan(1)
tap.test("a", function() tap.plan(2) tap.ok(1, "x") tap.ok(2, "y") end)
tap.done()]]
  tap.is(code, 0)
  tap.is(output, [[
TAP version 14
1..1
# Subtest: a
    1..2
    ok 1 - x
    ok 2 - y
ok 1 - a
]])
  fails("tap.plan(2) tap.ok(1)", 'plan: "planned 2, made 1"')
  fails("tap.ok(1) tap.plan(2)", "must come before the first point")
  output, code = run "tap.plan(2) tap.ok(1) tap.done()"
  tap.is(code, 1)
  has(output, "# planned 2 tests, ran 1\n")
end)

tap.test("a script that does not reach done has failed", function()
  local output, code = run "tap.ok(true, 'x')"
  tap.is(code, 1)
  has(output, "ok 1 - x\nnot ok 2 - the script reaches tap.done()\n")
  has(output, "\n1..2\n")
  output, code = run "tap.ok(true, 'x') error 'died'"
  tap.is(code, 1)
  has(output, "died")
  has(output, "not ok 2 - the script reaches tap.done()\n")
  code = select(2, run "tap.ok(true, 'x') os.exit(0)")
  tap.is(code, 1)
  output, code = run ""
  tap.is(output, "", "unless it tests nothing")
  tap.is(code, 0)
end)

tap.test("nothing is tested after done, nor done inside a test", function()
  local output, code = run "tap.ok(1) tap.done() tap.ok(2)"
  tap.is(code, 1)
  has(output, "after tap.done()")
  fails("tap.done()", "called inside a test")
  fails("tap.ok(true, {})", "must be a string, got table")
  fails("tap.test('x')", "takes a name and a function")
end)

tap.test("a description cannot look like a directive", function()
  local output = run "tap.ok(1, 'issue # TODO \\\\ two\\nlines') tap.done()"
  has(output, "ok 1 - issue \\# TODO \\\\ two lines\n")
end)

tap.test("a reader that knows TAP 13 gets that", function()
  tap.like(run("tap.ok(1, 'x') tap.done()", "TAP_VERSION=13"),
           "^TAP version 13\n")
end)

tap.test("each test has a task of its own", function()
  local own = task.current()
  tap.test("inner", function() tap.isnt(task.current(), own) end)
  tap.is(task.current(), own)
end)

tap.test("values are shown as Lua writes them", function()
  local cases = {
    { nil, "nil" }, { true, "true" }, { 1.0, "1.0" }, { "a", '"a"' },
    { 'a"\\\n\0\127é', [["a\"\\\n\x00\x7fé"]] }, { "\255", [["\xff"]] },
    { { 1, { 2 }, x = "y", ["a b"] = false, [9] = 0 },
      '{1, {2}, [9] = 0, ["a b"] = false, x = "y"}' },
    { { { { { { { 7 } } } } } }, "{{{{{{…}}}}}}" },
    { setmetatable({}, { __tostring = function() return "T" end }), "T" },
  }
  for _, case in ipairs(cases) do tap.is(show.value(case[1]), case[2]) end
  local loop = {}
  loop[1] = loop
  tap.is(show.value(loop), "{<the table around it>}")
  tap.like(show.value(("x"):rep(5000)), '^"x+… %(5000 bytes in all%)"$')
  local many = {}
  for i = 1, 100 do many[i] = i end
  tap.like(show.value(many), "24, …}$")
end)

tap.test("a difference is found wherever it is", function()
  local function at(a, b)
    local found = compare.difference(a, b)
    return found and found.path
  end
  tap.is(at(1, 1.0), nil)
  tap.is(at(1, 2), "")
  tap.is(at({}, 1), "")
  tap.is(at({ 1 }, { 1, 2 }), "[2]")
  tap.is(at({ 1, 2 }, { 1 }), "[2]")
  tap.is(at({ a = { b = { 1 } } }, { a = { b = { 2 } } }), ".a.b[1]")
  tap.is(at({ ["a b"] = 1 }, {}), '["a b"]')
  tap.is(at({ false }, {}), "[1]")
  tap.is(at({ 0 / 0 }, { 0 / 0 }), nil)
  local a, b = {}, {}
  a.self, b.self = a, b
  tap.is(at(a, b), nil, "loops end")
  a.x = 1
  tap.is(at(a, b), ".x")
end)

os.remove(path)
tap.done()
