-- Ways to run a child, by luvisor.asyncio. As native.lua.
-- local ported = dofile(SOURCE .. "/tests/storm/ported.lua")

local asyncio = require "luvisor.asyncio"
local signal = require "luvisor.signal"

local PIPE <const>, DEVNULL <const> = asyncio.subprocess.PIPE,
  asyncio.subprocess.DEVNULL

local KILL <const> = signal.number "KILL"

local function exec(storm, argv, opts)
  opts.env = storm.world.whole_env
  local words = table.move(argv, 1, #argv, 1, {})
  words[#words + 1] = opts
  return asyncio.create_subprocess_exec(table.unpack(words))
end

local function piped(storm)
  return exec(storm, storm.child.argv, { stdout = PIPE, stderr = PIPE })
end

-- -- communicate --------------------------------------------------------------

local function communicate(storm)
  local p <close> = piped(storm)
  local stdout, stderr = p:communicate()
  return storm.child:judge_whole(p.returncode, stdout, stderr)
end

local function echo(storm)
  local text = storm.world.out:sub(1, storm.dice:pick { 0, 1, 5000, 200000 })
  local p <close> = exec(storm, { "cat" }, { stdin = PIPE, stdout = PIPE })
  local stdout, stderr = p:communicate(text)
  if stdout ~= text or stderr ~= nil then return "other output" end
end

-- A Task that is not to outlive its block.
local function start(fn, ...)
  local t = asyncio.create_task(fn, ...)
  return t, setmetatable({}, { __close = function()
    t:add_done_callback(function() return t:cancelled() or t:exception() end)
    t:cancel()
  end })
end

-- Cancelling a communicate leaves the child alone and loses nothing.
local function interrupted(storm)
  local seconds = storm.dice:moment(0.1)
  local p <close> = piped(storm)
  local talk, _ <close> = start(p.communicate, p)
  asyncio.sleep(seconds)
  talk:cancel()
  local ok, stdout, stderr = pcall(talk.await, talk)
  if not ok then
    if not stdout:is(asyncio.CancelledError) then return tostring(stdout) end
    stdout, stderr = p:communicate()
  end
  return storm.child:judge_whole(p.returncode, stdout, stderr)
end

-- What asyncio's users write: a limit, kill, and wait.
local function limited(storm)
  local seconds = storm.dice:moment(0.1)
  local p <close> = piped(storm)
  local ok, stdout, stderr = pcall(asyncio.wait_for, { p.communicate, p },
    seconds)
  if ok then
    return storm.child:judge_whole(p.returncode, stdout, stderr)
  end
  if not stdout:is(asyncio.TimeoutError) then return tostring(stdout) end
  if p.returncode == nil then p:kill() end
  stdout, stderr = p:communicate()
  return storm.child:judge_cut({ [KILL] = true }, p.returncode, stdout, stderr)
end

local function limited_block(storm)
  local seconds = storm.dice:moment(0.1)
  local p <close> = piped(storm)
  local ok, err = pcall(function()
    local _ <close> = asyncio.timeout(seconds)
    p:wait()
  end)
  if not ok and not err:is(asyncio.TimeoutError) then return tostring(err) end
  local stdout, stderr = p:communicate()
  return storm.child:judge_whole(p.returncode, stdout, stderr)
end

-- -- Streams ------------------------------------------------------------------

local function read_lines(stream, parts)
  for line in stream do parts[#parts + 1] = line end
  return table.concat(parts)
end

local function read_pieces(stream, parts)
  while true do
    local piece = stream:read(1000)
    if piece == "" then return table.concat(parts) end
    parts[#parts + 1] = piece
  end
end

local function streams(storm)
  local read = storm.dice:pick { read_lines, read_pieces }
  local p <close> = piped(storm)
  local results = asyncio.gather({ p.wait, p }, { read, p.stdout, {} },
    { read, p.stderr, {} })
  return storm.child:judge_whole(table.unpack(results, 1, 3))
end

-- It ends before it has read all.
local function broken(storm)
  local p <close> = exec(storm, { "head", "-c", 10 },
    { stdin = PIPE, stdout = PIPE })
  local ok, err = pcall(function()
    for _ = 1, 10 do
      p.stdin:write(storm.world.out:sub(1, 30000))
      p.stdin:drain()
    end
  end)
  if not ok and not err:is(asyncio.BrokenPipeError) then
    return tostring(err)
  end
  p.stdin:close()
  local got = p.stdout:read()
  if got ~= storm.world.out:sub(1, 10) then return "other output" end
  if p:wait() ~= 0 then return "it returned " .. p.returncode end
end

-- -- In company ---------------------------------------------------------------

local function waited(storm)
  local p <close> = exec(storm, storm.child.argv,
    { stdout = DEVNULL, stderr = DEVNULL })
  local codes = asyncio.gather({ p.wait, p }, { p.wait, p }, { p.wait, p })
  for _, code in ipairs(codes) do
    if code ~= storm.child.code then return "it returned " .. code end
  end
end

local function sleeper(storm)
  local p <close> = exec(storm, { "sleep", 600 }, {})
  return p:wait()
end

local function group(storm)
  local ok, err = pcall(asyncio.TaskGroup, function(tg)
    tg:create_task(sleeper, storm)
    tg:create_task(function()
      local p <close> = exec(storm, { "sh", "-c", "exit 9" }, {})
      error("it returned " .. p:wait(), 0)
    end)
  end)
  if ok or err.kind ~= "ErrorGroup" or err.errors[1] ~= "it returned 9" then
    return tostring(err)
  end
end

local function shielded(storm)
  local p <close> = piped(storm)
  local talk, _ <close> = start(p.communicate, p)
  local impatient = asyncio.create_task(asyncio.shield, talk)
  asyncio.sleep(0)
  impatient:cancel()
  local stdout, stderr = talk:await()
  return storm.child:judge_whole(p.returncode, stdout, stderr)
end

-- -- Transports and protocols -------------------------------------------------

-- Notes what it is told, and complains if that is out of order.
local Notes = setmetatable({}, { __index = asyncio.SubprocessProtocol })
Notes.__index = Notes

local function new_notes()
  return setmetatable({
    parts = { {}, {} }, lost = {}, ended = asyncio.Event(),
  }, Notes)
end

function Notes:connection_made()
  if self.made then self.wrong = "made twice" end
  self.made = true
end

function Notes:pipe_data_received(fd, data)
  if not self.made or self.lost[fd] then self.wrong = "data out of order" end
  table.insert(self.parts[fd], data)
end

function Notes:pipe_connection_lost(fd)
  if self.lost[fd] then self.wrong = "lost twice" end
  self.lost[fd] = true
end

function Notes:process_exited()
  if self.exited then self.wrong = "exited twice" end
  self.exited = true
end

function Notes:connection_lost()
  if not (self.exited and self.lost[1] and self.lost[2]) then
    self.wrong = "lost too early"
  end
  self.ended:set()
end

local function open(storm)
  local notes = new_notes()
  local words = table.move(storm.child.argv, 1, #storm.child.argv, 1, {})
  words[#words + 1] = { stdin = DEVNULL, env = storm.world.whole_env }
  return asyncio.get_event_loop():subprocess_exec(function()
    return notes
  end, table.unpack(words))
end

local function protocol(storm)
  local transport <close>, notes = open(storm)
  notes.ended:wait()
  return notes.wrong or storm.child:judge_whole(transport:get_returncode(),
    table.concat(notes.parts[1]), table.concat(notes.parts[2]))
end

-- A closed transport kills.
local function closed(storm)
  local seconds = storm.dice:moment(0.05)
  local transport <close>, notes = open(storm)
  asyncio.sleep(seconds)
  transport:close()
  notes.ended:wait()
  local code = transport:get_returncode()
  if code ~= storm.child.code and code ~= -KILL
    and code ~= -signal.number "PIPE" then
    return "it returned " .. code
  end
  return notes.wrong or storm.child:judge_begun(table.concat(notes.parts[1]),
    table.concat(notes.parts[2]))
end

local function missing()
  local ok, err = pcall(asyncio.create_subprocess_exec, "no-such-program",
    { stdin = PIPE, stdout = PIPE })
  if ok or not err:is "ENOENT" then return tostring(err) end
end

return {
  { "asyncio: communicate", communicate, weight = 8 },
  { "asyncio: input", echo, weight = 4 },
  { "asyncio: interrupted", interrupted, weight = 8 },
  { "asyncio: wait_for, kill", limited, weight = 8 },
  { "asyncio: timeout", limited_block, weight = 4 },
  { "asyncio: streams", streams, weight = 4 },
  { "asyncio: input not read", broken, weight = 4 },
  { "asyncio: many waiters", waited, weight = 4 },
  { "asyncio: failing group", group, weight = 2, children = 2 },
  { "asyncio: shield", shielded, weight = 4 },
  { "asyncio: protocol", protocol, weight = 4 },
  { "asyncio: transport closed", closed, weight = 4 },
  { "asyncio: not to be started", missing, weight = 1, children = 0 },
}
