-- More ways to run a child, by luvisor's own modules: with children of its own,
-- in company, on terminals, or not at all. As native.lua.
-- local families = dofile(SOURCE .. "/tests/storm/families.lua")

local process = require "luvisor.process"
local task = require "luvisor.task"

local SOON <const> = 0.002 -- seconds that a pipe held by others is read

local function shell(storm, text, opts)
  opts.env = storm.world.env
  opts[1], opts[2], opts[3] = "sh", "-c", text
  return opts
end

-- -- Grandchildren that hold a pipe -------------------------------------------

local function held_killed(storm)
  local r = process.run(shell(storm, "sleep 600 & echo x; exit 7",
    { check = false, linger = SOON }))
  if r.returncode ~= 7 or r.stdout ~= "x\n" or not r.pipe_held then
    return "a held pipe is not told of"
  end
end

local function held_awaited(storm)
  local r = process.run(shell(storm, "(sleep 0.01; echo y) & echo x",
    { linger = SOON, leftover = "wait" }))
  local whole = r.stdout == "x\ny\n" or r.stdout == "y\nx\n"
  if not whole then return "other output" end
end

local function held_left(storm)
  local r = process.run(shell(storm, "sleep 0.05 & echo x",
    { linger = SOON, leftover = "leave" }))
  if r.stdout ~= "x\n" then return "other output" end
end

-- In a session of its own no signal to the group reaches it.
local function held_elsewhere(storm)
  local r = process.run(shell(storm, "setsid sleep 0.05 & echo x",
    { linger = SOON }))
  if r.stdout ~= "x\n" then return "other output" end
end

-- -- Ends ---------------------------------------------------------------------

local function stubborn(storm)
  local p <close> = process.spawn(shell(storm,
    "trap '' TERM; echo x; exec sleep 600", { stdout = "pipe" }))
  if p.stdout:readline() ~= "x" then return "other output" end
  local status = p:stop { grace = 0.01 }
  if status.signal ~= "KILL" then return tostring(status) end
end

local function stopped_tree(storm)
  local p <close> = process.spawn(shell(storm,
    "sleep 600 & sleep 600 & echo x; wait", { stdout = "pipe" }))
  p.stdout:readline()
  local status = p:stop()
  if status.signal ~= "TERM" then return tostring(status) end
end

local function detached(storm)
  local p = process.spawn(shell(storm, "sleep 0.01; exit 5", {}))
  p:detach()
  if storm.dice:roll(2) == 1 then return nil end
  local code = p:wait().returncode
  if code ~= 5 then return "it returned " .. code end
end

-- It is reaped though nobody waits for it.
local function forgotten(storm)
  local p = process.spawn(shell(storm, "exit 3", {}))
  while not p.status do task.sleep(0.002) end
  if p.returncode ~= 3 then return "it returned " .. p.returncode end
end

-- -- In company ---------------------------------------------------------------

local function pipeline(storm)
  local size, env = storm.dice:roll(300000), storm.world.env
  local pl <close> = process.pipeline {
    { "head", "-c", size, storm.world.out_file, env = env },
    { "cat", env = env }, { "wc", "-c", env = env }, stdout = "pipe",
  }
  local r = pl:communicate()
  if not r.ok or tonumber(r.stdout) ~= size then return "other output" end
end

local function pipeline_hit(storm)
  local env, seconds = storm.world.env, storm.dice:moment(0.05)
  local victim = storm.dice:roll(3)
  local pl <close> = process.pipeline {
    { "cat", storm.world.out_file, env = env }, { "cat", env = env },
    { "wc", "-c", env = env }, stdout = "pipe",
  }
  task.sleep(seconds)
  pcall(pl.stages[victim].kill, pl.stages[victim])
  local r = pl:communicate()
  local size = tonumber(r.stdout)
  if size and size > #storm.world.out then return "too much output" end
  if r.ok and size ~= #storm.world.out then return "not all is ok" end
end

local function failing_sibling(storm)
  local env = storm.world.env
  local ok, err = pcall(task.gather,
    function() process.run { "sleep", 600, env = env } end,
    function() process.run(shell(storm, "exit 9", {})) end)
  if ok or err.kind ~= "ExitError" then return tostring(err) end
end

local function terminal(storm)
  local r = process.run(shell(storm, "echo x", { pty = true }))
  if r.stdout ~= "x\r\n" then return "other output" end
end

-- -- Those that cannot be started ---------------------------------------------

local function missing(storm)
  local ok, err = pcall(process.run, {
    "no-such-program", env = storm.world.env, input = "x",
  })
  if ok or not err:is "ENOENT" then return tostring(err) end
  ok, err = pcall(process.spawn, {
    "true", cwd = "/no/such/place", stdin = "pipe", stdout = "pipe",
  })
  if ok or err.op ~= "chdir" then return tostring(err) end
end

-- children: how many of ours it starts
return {
  { "held pipe, killed", held_killed, weight = 2 },
  { "held pipe, awaited", held_awaited, weight = 1 },
  { "held pipe, left", held_left, weight = 1 },
  { "held pipe, out of reach", held_elsewhere, weight = 1 },
  { "stubborn", stubborn, weight = 2 },
  { "stopped with its own", stopped_tree, weight = 2 },
  { "detached", detached, weight = 2 },
  { "forgotten", forgotten, weight = 2 },
  { "pipeline", pipeline, weight = 1, children = 3 },
  { "pipeline and a signal", pipeline_hit, weight = 1, children = 3 },
  { "failing sibling", failing_sibling, weight = 1, children = 2 },
  { "terminal", terminal, weight = 1 },
  { "not to be started", missing, weight = 1, children = 0 },
}
