-- Ways to run a child, by luvisor's own modules. Each is given a storm {child,
-- world, dice, env} and returns what is wrong, or nil; what it raises is wrong
-- as well. It may be cancelled at each of its waits.
-- local native = dofile(SOURCE .. "/tests/storm/native.lua")

local process = require "luvisor.process"
local signal = require "luvisor.signal"
local task = require "luvisor.task"

local GRACE <const> = 5 -- seconds, if TERM does not do

-- The signals that p:stop sends.
local stop_signals = {
  [signal.number "TERM"] = true, [signal.number "KILL"] = true,
}
local PIPE <const> = -signal.number "PIPE"

local function with(argv, opts)
  for i, word in ipairs(argv) do opts[i] = word end
  return opts
end

-- The options of the storm's child.
local function command(storm, opts)
  opts.env = storm.world.env
  return with(storm.child.argv, opts)
end

local function piped(storm)
  return command(storm, { stdout = "pipe", stderr = "pipe" })
end

-- -- run and capture ----------------------------------------------------------

local function run(storm)
  local r = process.run(command(storm, { check = false, linger = GRACE }))
  if r.truncated or r.pipe_held then return "it is truncated" end
  return storm.child:judge_whole(r.returncode, r.stdout, r.stderr)
end

local function run_timeout(storm)
  local seconds = storm.dice:moment(0.2)
  local ok, r = pcall(process.run, command(storm, {
    check = false, timeout = seconds, linger = GRACE,
  }))
  if ok then
    return storm.child:judge_whole(r.returncode, r.stdout, r.stderr)
  end
  if r.kind ~= "Timeout" or r.seconds ~= seconds then return tostring(r) end
  if r.status.returncode == storm.child.code then -- just so
    return storm.child:judge_begun(r.stdout, r.stderr)
  end
  return storm.child:judge_cut(stop_signals, r.status.returncode, r.stdout,
    r.stderr)
end

local function run_limited(storm)
  local child, most = storm.child, storm.dice:pick { 0, 10, 5000, 100000 }
  local ok, r = pcall(process.run, command(storm, {
    check = false, max_output = most, linger = GRACE,
  }))
  local fits = #child:stdout() <= most and #child:stderr() <= most
  if ok then
    if not fits then return "it wrote more than max_output" end
    return child:judge_whole(r.returncode, r.stdout, r.stderr)
  end
  if fits or r.kind ~= "LimitOverrun" then return tostring(r) end
  if #r.stdout > most or #r.stderr > most then return "max_output is passed" end
  if child:stdout():sub(1, #r.stdout) ~= r.stdout then return "other output" end
end

local function run_checked(storm)
  local child = storm.child
  local ok, r = pcall(process.run, command(storm, { linger = GRACE }))
  if ok ~= (child.code == 0) then return tostring(r) end
  if not ok and r.kind ~= "ExitError" then return tostring(r) end
  local code = ok and r.returncode or r.status.returncode
  return child:judge_whole(code, r.stdout, r.stderr)
end

local function capture(storm)
  local child = storm.child
  local ok, text = pcall(process.capture,
    command(storm, { linger = GRACE, stderr = "null" }))
  if ok ~= (child.code == 0) then return tostring(text) end
  if not ok then return nil end
  if text ~= child:stdout():gsub("\n$", "") then return "other output" end
end

-- What is fed comes out, as far as it is read.
local function run_input(storm)
  local dice, text = storm.dice, storm.world.out
  local size = dice:pick { 0, 1, 5000, 200000 }
  local taken = dice:roll(3) == 1 and size // 2 or size
  local pieces = { text:sub(1, size // 3), text:sub(size // 3 + 1, size) }
  local i = 0
  local input = dice:pick { text:sub(1, size), pieces, function()
    i = i + 1
    task.checkpoint()
    return pieces[i]
  end }
  local argv = taken == size and { "cat" } or { "head", "-c", taken }
  local r = process.run(with(argv, { input = input, env = storm.world.env }))
  if r.stdout ~= text:sub(1, taken) then return "other output" end
end

-- -- spawn --------------------------------------------------------------------

local deadly = { "TERM", "KILL", "INT", "HUP", "USR1" }

-- A signal may find it already ended; then it knows how.
local function hit(p, sig, whom)
  local ok, err = pcall(p.send_signal, p, sig, whom)
  if ok then return nil end
  if err.kind ~= "NoProcess" then return tostring(err) end
  if whom == nil and not p.status then return "NoProcess, and it runs" end
end

local function spawn_killed(storm)
  local dice = storm.dice
  local seconds, sig = dice:moment(0.1), dice:pick(deadly)
  local whom = dice:pick { false, "group" } or nil
  local p <close> = process.spawn(piped(storm))
  local wrong
  local r = task.nursery(function(n)
    n:spawn(function()
      task.sleep(seconds)
      wrong = hit(p, sig, whom)
    end)
    return p:communicate(nil, { linger = GRACE })
  end)
  if wrong then return wrong end
  return storm.child:judge_cut({ [signal.number(sig)] = true }, r.returncode,
    r.stdout, r.stderr)
end

-- A communicate that was cancelled, or timed out, has lost nothing.
local function spawn_interrupted(storm)
  local dice = storm.dice
  local seconds, limit = dice:moment(0.1), dice:moment(0.1)
  local p <close> = process.spawn(piped(storm))
  local ok, r = task.move_on(seconds, p.communicate, p)
  if not ok then
    ok, r = pcall(p.communicate, p, nil, { timeout = limit, linger = GRACE })
    if not ok and r.kind ~= "Timeout" then return tostring(r) end
  end
  if not ok then r = p:communicate(nil, { linger = GRACE }) end
  return storm.child:judge_whole(r.returncode, r.stdout, r.stderr)
end

-- Whoever reads no more lets the child end by SIGPIPE, or by itself.
local function spawn_deaf(storm)
  local most = storm.dice:pick { 1, 100, 100000 }
  local p <close> = process.spawn(command(storm, {
    stdout = "pipe", stderr = "null",
  }))
  local got = p.stdout:read(most)
  p.stdout:close()
  local code = p:wait().returncode
  if code ~= storm.child.code and code ~= PIPE then
    return "it returned " .. code
  end
  if (got or "") ~= storm.child:stdout():sub(1, got and #got or 0) then
    return "other output"
  end
end

-- A child that reads less than it is given.
local function spawn_full(storm)
  local text = storm.world.out
  local p <close> = process.spawn {
    "head", "-c", 10, env = storm.world.env, stdin = "pipe", stdout = "pipe",
  }
  local ok, err = pcall(function()
    for at = 1, 300000, 30000 do p.stdin:write(text:sub(at, at + 29999)) end
    p.stdin:drain()
  end)
  if not ok and err.kind ~= "BrokenPipe" then return tostring(err) end
  p.stdin:abort()
  if p.stdout:read() ~= text:sub(1, 10) then return "other output" end
  if p:wait().returncode ~= 0 then return "it returned " .. p.returncode end
end

local function spawn_lines(storm)
  local p <close> = process.spawn(piped(storm))
  local bytes = { stdout = 0, stderr = 0 }
  for source, line in p:lines() do bytes[source] = bytes[source] + #line end
  local status = p:wait()
  for _, source in ipairs { "stdout", "stderr" } do
    local want = #storm.child[source](storm.child):gsub("\n", "")
    if bytes[source] ~= want then
      return ("%s: %d of %d bytes"):format(source, bytes[source], want)
    end
  end
  if status.returncode ~= storm.child.code then return tostring(status) end
end

local function spawn_awaited(storm)
  local p <close> = process.spawn(command(storm, {
    stdout = "null", stderr = "null",
  }))
  local function wait() return p:wait().returncode end
  local a, b, c = task.gather(wait, wait, wait)
  if a ~= storm.child.code or b ~= a or c ~= a then
    return ("they heard %s %s %s"):format(a, b, c)
  end
end

return {
  { "run", run, weight = 8 },
  { "run with a timeout", run_timeout, weight = 8 },
  { "run with a limit", run_limited, weight = 4 },
  { "run, checked", run_checked, weight = 4 },
  { "capture", capture, weight = 4 },
  { "run with input", run_input, weight = 4 },
  { "spawn and a signal", spawn_killed, weight = 8 },
  { "communicate, interrupted", spawn_interrupted, weight = 8 },
  { "spawn, output closed early", spawn_deaf, weight = 4 },
  { "spawn, input not read", spawn_full, weight = 4 },
  { "spawn, by lines", spawn_lines, weight = 4 },
  { "spawn, many waiters", spawn_awaited, weight = 4 },
}
