-- Fuzz the options of spawn and run: whatever a table holds, it is taken, or
-- there is a UsageError; and what is taken is read by C, up to an exec of a
-- program that there is not.
--
-- The input is a list of options, each a name and a value.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local new_cursor = dofile(SOURCE .. "/tests/fuzz/cursor.lua")

local core_os = require "luvisor.core.os"
local errors = require "luvisor.error"
local options = require "luvisor.process.options"
local process = require "luvisor.process"
local stream = require "luvisor.stream"

local NOWHERE <const> = "/no/such/program"

local names = {}
for name in ([[shell executable argv0 cwd chroot env clear_env stdin stdout
  stderr fds pty user group groups umask nice limits oom_score_adj cpu_affinity
  no_new_privs pdeathsig session process_group cgroup pipe_size limit max_line
  name stop protocol input timeout check max_output linger leftover
  rows cols echo signal grace file append mode core nofile]]):gmatch "%S+" do
  names[#names + 1] = name
end

local texts = {
  "", "a", "inherit", "pipe", "null", "close", "stdout", "pipe-in", "TERM",
  "SIGKILL", "unlimited", "022", "r", "w", "rw", "kill", "leave", "root",
  "nobody", "/", "/no/such/place", "PATH", "a=b", "a\0b", "0644",
}

local numbers = {
  0, 1, 2, 3, 9, 15, 19, -1, -20, 64, 255, 1000, 0x7fffffff, 1 << 32,
  math.maxinteger, math.mininteger, 0.5, 1e300, -0.0, math.huge, 0 / 0,
}

-- -- Values -------------------------------------------------------------------

local closed <const> = assert(io.open "/dev/null")
closed:close()

local values

-- Streams are closed with the input that has made them.
local function new_pipe(owner)
  local r, w = stream.pipe()
  table.insert(owner, r)
  table.insert(owner, w)
  return r, w
end

local function draw_value(c, owner, depth)
  return values[c:byte() % #values + 1](c, owner, depth)
end

local function draw_key(c)
  local kind = c:byte() % 8
  if kind < 4 then return c:pick(names) end
  if kind < 7 then return c:byte() % 8 + 1 end
  return c:text(8)
end

local function draw_table(c, owner, depth)
  local list = {}
  if depth == 0 then return list end
  for _ = 1, c:byte() % 4 do
    local key, value = draw_key(c), draw_value(c, owner, depth - 1)
    list[key] = value
  end
  return list
end

values = {
  function() return nil end,
  function() return true end,
  function() return false end,
  function(c) return c:byte() - 128 end,
  function(c) return c:pick(numbers) end,
  function(c) return c:pick(texts) end,
  function(c) return c:pick(texts) end,
  function(c) return c:text(20) end,
  draw_table,
  draw_table,
  function() return print end,
  function() return io.stderr end,
  function() return closed end,
  function(_, owner) return (new_pipe(owner)) end,
  function(_, owner) return (select(2, new_pipe(owner))) end,
}

local function draw(c, owner)
  local opts = {}
  while not c:is_over() do
    local key, value = draw_key(c), draw_value(c, owner, 2)
    opts[key] = value
  end
  return opts
end

-- -- What must hold -----------------------------------------------------------

-- One of these kinds, in one line, or a find.
local function check_error(err, kinds)
  if not errors.is_error(err) or not kinds[err.kind] then error(err, 0) end
  if tostring(err):find "\n" and not tostring(err):find "%z" then
    error("a message of two lines: " .. tostring(err), 0)
  end
end

local usage = { UsageError = true }
local failures = {
  UsageError = true, SpawnError = true, OSError = true, Busy = true,
  Closed = true,
}

-- No file of the input's choice is written, no program of its choice is run.
local function disarm(opts)
  local safe = {}
  for key, value in pairs(opts) do
    safe[key] = type(value) == "table" and getmetatable(value) == nil
      and disarm(value) or value
  end
  if safe.file ~= nil then safe.file = "/dev/null" end
  return safe
end

local function try_spawn(opts)
  opts = disarm(opts)
  opts.executable = NOWHERE
  if opts.shell == nil then opts[1] = NOWHERE end
  local ok, err = pcall(process.spawn, opts)
  if ok then error("it is spawned", 0) end
  check_error(err, failures)
end

local function close_all(owner)
  for _, s in ipairs(owner) do s:close() end
end

return function(bytes)
  local owner <close> = setmetatable({}, { __close = close_all })
  local before = #core_os.fds()
  local opts = draw(new_cursor(bytes), owner)
  for _, check in ipairs { options.check_spawn, options.check_run } do
    local ok, err = pcall(check, "fuzz", opts)
    if not ok then check_error(err, usage) end
  end
  try_spawn(opts)
  close_all(owner)
  collectgarbage "step"
  if #core_os.fds() > before then error("descriptors are left open", 0) end
end
