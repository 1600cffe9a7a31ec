-- Process:lines: the lines of stdout and stderr as they come.

local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function sh(script, opts)
  local all = { "sh", "-c", script, stdout = "pipe", stderr = "pipe" }
  for name, value in pairs(opts or {}) do all[name] = value end
  return process.spawn(all)
end

local function collect(p)
  local lines = { stdout = {}, stderr = {}, all = {} }
  for source, line in p:lines() do
    table.insert(lines[source], line)
    table.insert(lines.all, source .. ":" .. line)
  end
  return lines
end

tap.test("each line comes with the name of its stream", function()
  local p <close> = sh "echo out; echo err >&2"
  local lines = collect(p)
  tap.is_deeply(lines.stdout, { "out" })
  tap.is_deeply(lines.stderr, { "err" })
  tap.is(p:wait().ok, true)
end)

tap.test("lines come when they are written, on whichever stream", function()
  local p <close> = sh("for i in 1 2 3; do read x; echo o$x; read x; "
    .. "echo e$x >&2; done", { stdin = "pipe" })
  local next_line = p:lines()
  for i = 1, 3 do
    p.stdin:write(i, "\n")
    local source, line = next_line()
    tap.is(source .. ":" .. line, "stdout:o" .. i)
    p.stdin:write(i, "\n")
    source, line = next_line()
    tap.is(source .. ":" .. line, "stderr:e" .. i)
  end
  tap.is(next_line(), nil)
  tap.is(next_line(), nil, "and again")
end)

tap.test("many lines of both come whole and in their stream's order",
function()
  local p <close> = sh "seq 1 20000 & seq 1 20000 >&2; wait"
  local n = { stdout = 0, stderr = 0 }
  local wrong = 0
  for source, line in p:lines() do
    n[source] = n[source] + 1
    if line ~= tostring(n[source]) then wrong = wrong + 1 end
  end
  tap.is_deeply(n, { stdout = 20000, stderr = 20000 })
  tap.is(wrong, 0)
end)

tap.test("a stream that never pauses does not hide the other", function()
  local p <close> = sh "yes & echo here >&2; wait"
  for source, line in p:lines() do
    if source == "stderr" then
      tap.is(line, "here")
      break
    end
  end
end)

tap.test("a last line without an end is a line, also an empty one", function()
  local p <close> = sh "printf 'a\\n\\nb'; printf '\\nc' >&2"
  local lines = collect(p)
  tap.is_deeply(lines.stdout, { "a", "", "b" })
  tap.is_deeply(lines.stderr, { "", "c" })
end)

tap.test("a stream may end before the other", function()
  local p <close> = sh "exec 2>&-; echo 1; echo 2"
  tap.is_deeply(collect(p).stdout, { "1", "2" })
  local q <close> = sh "exec >&-; echo 1 >&2; echo 2 >&2"
  tap.is_deeply(collect(q).stderr, { "1", "2" })
  local r <close> = sh "exec >&- 2>&-"
  tap.is_deeply(collect(r).all, {})
end)

tap.test("a long line comes whole", function()
  local p <close> = sh("head -c 900000 /dev/zero | tr '\\0' x; echo; "
    .. "echo short; head -c 900000 /dev/zero | tr '\\0' y >&2")
  local lines = collect(p)
  tap.ok(lines.stdout[1] == ("x"):rep(900000))
  tap.is(lines.stdout[2], "short")
  tap.ok(lines.stderr[1] == ("y"):rep(900000))
end)

tap.test("a line that is too long raises, and is still there", function()
  local p <close> = sh("echo 123456; echo 12 >&2", { max_line = 5 })
  tap.throws(function() collect(p) end, "LimitOverrun")
  tap.is(p.stdout:read(6), "123456")
  tap.is(p.stdout:readline(), "")
end)

tap.test("one stream alone will do", function()
  local p <close> = sh("echo a; echo b", { stderr = "null" })
  tap.is_deeply(collect(p).all, { "stdout:a", "stdout:b" })
  local q <close> = sh("echo a >&2; echo b >&2", { stdout = "null" })
  tap.is_deeply(collect(q).all, { "stderr:a", "stderr:b" })
  local r <close> = process.spawn { "echo", "x", pty = true }
  tap.is_deeply(collect(r).all, { "stdout:x\r" })
  local s <close> = sh("true", { stdout = "null", stderr = "null" })
  tap.throws(function() s:lines() end, "UsageError")
end)

tap.test("the loop may wait between lines, and be left and taken up again",
function()
  local p <close> = sh "seq 1 5"
  local seen = {}
  for _, line in p:lines() do
    seen[#seen + 1] = line
    task.sleep(0.001)
    if line == "3" then break end
  end
  for _, line in p:lines() do seen[#seen + 1] = line end
  tap.is(table.concat(seen), "12345")
end)

tap.test("a cancelled loop loses no line", function()
  local p <close> = sh("echo 1; read x; echo 2", { stdin = "pipe" })
  local seen = {}
  local function follow()
    for _, line in p:lines() do seen[#seen + 1] = line end
  end
  tap.is(task.move_on(0.05, follow), false)
  p.stdin:close()
  follow()
  tap.is(table.concat(seen), "12")
end)

tap.test("who else reads meanwhile is told Busy", function()
  local p <close> = sh "sleep 600"
  local following = task.spawn(collect, p)
  task.checkpoint()
  tap.throws(function() p.stdout:readline() end, "Busy")
  tap.throws(function() p.stderr:readline() end, "Busy")
  following:cancel()
  pcall(following.join, following)
  p:stop()
  tap.is(p.stdout:readline(), nil, "not any more")
end)

tap.done()
