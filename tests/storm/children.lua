-- What the children of the storm do, and what each of them may come to.
-- local children = dofile(SOURCE .. "/tests/storm/children.lua")
--
-- A child writes a number of bytes to stdout and to stderr, waits a little and
-- exits with a code, all drawn by its dice. The bytes are the beginnings of two
-- texts in which no place looks like another, so what is lost, doubled or mixed
-- up shows.

local process = require "luvisor.process"

local M = {}

local TEXT_SIZE <const> = 4 << 20

-- -- Dice ---------------------------------------------------------------------

local Dice = {}
Dice.__index = Dice

--- Dice of one's own: those of the same seed and number roll the same, whatever
-- other tasks do meanwhile.
function M.dice(seed, number)
  local state = (seed * 0x9E3779B97F4A7C15) ~ (number * 0xBF58476D1CE4E5B9)
  local dice = setmetatable({ state = state == 0 and 1 or state }, Dice)
  for _ = 1, 4 do dice:roll(2) end
  return dice
end

--- An integer from 1 to n.
function Dice:roll(n)
  local x = self.state
  x = x ~ (x << 13)
  x = x ~ (x >> 7)
  x = x ~ (x << 17)
  self.state = x
  return (x >> 33) % n + 1
end

--- One of a list.
function Dice:pick(list)
  return list[self:roll(#list)]
end

--- Seconds up to `most`, the short ones more often.
function Dice:moment(most)
  return (self:roll(1000) / 1000) ^ 3 * most
end

-- -- The world of the children ------------------------------------------------

local function make_text(letter)
  local lines, line = {}, ("%s%%07d %s\n"):format(letter, ("."):rep(54))
  for i = 1, TEXT_SIZE // 64 do lines[i] = line:format(i) end
  return table.concat(lines)
end

local function write_file(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local function own_environment()
  local env = {}
  local file <close> = assert(io.open("/proc/self/environ", "rb"))
  for name, value in file:read("a"):gmatch "([^=%z]+)=(%Z*)" do
    env[name] = value
  end
  return env
end

--- What all children share: two files, and the mark that they carry in their
-- environment, as their own children will.
-- @treturn table out, err: the texts; out_file, err_file; env: for luvisor;
-- whole_env: for asyncio, whose `env` is all of it. Close it.
function M.world(mark)
  local dir = process.capture { "mktemp", "-d" }
  local whole = own_environment()
  whole.LUVISOR_STORM_MARK = mark
  local world = {
    dir = dir, mark = mark, out = make_text "o", err = make_text "e",
    out_file = dir .. "/out", err_file = dir .. "/err",
    env = { LUVISOR_STORM_MARK = mark }, whole_env = whole,
  }
  write_file(world.out_file, world.out)
  write_file(world.err_file, world.err)
  return setmetatable(world, { __close = function()
    process.run { "rm", "-rf", dir }
  end })
end

-- -- One child ----------------------------------------------------------------

local sizes = { 0, 1, 100, 100, 4096, 5000, 65536, 70000, 300000 }
local codes = { 0, 0, 0, 1, 3, 77, 255 }
local pauses = { 0.002, 0.01, 0.03 } -- seconds

local function draw_size(dice)
  if dice:roll(150) == 1 then return (2 << 20) + dice:roll(2 << 20) end
  return dice:pick(sizes)
end

-- One program and no shell: half of the time that a child costs.
local function draw_simple(world, number, dice)
  local size = draw_size(dice)
  return {
    number = number, code = 0, head = "", out = size, err = 0,
    argv = { "head", "-c", size, world.out_file },
  }
end

local function draw_shell(world, number, dice)
  local child = {
    number = number, code = dice:pick(codes), head = number .. "\n",
    out = dice:roll(2) == 1 and draw_size(dice) or 0,
    err = dice:roll(4) == 1 and draw_size(dice) or 0,
  }
  local lines = { "echo " .. number }
  if child.out > 0 then
    lines[#lines + 1] = ("head -c %d %s"):format(child.out, world.out_file)
  end
  if child.err > 0 then
    lines[#lines + 1] = ("head -c %d %s >&2"):format(child.err, world.err_file)
  end
  if dice:roll(8) == 1 then
    lines[#lines + 1] = ("sleep %g"):format(dice:pick(pauses))
  end
  lines[#lines + 1] = "exit " .. child.code
  child.argv = { "sh", "-c", table.concat(lines, "\n") }
  return child
end

local Child = {}
Child.__index = Child

--- Draw one.
function M.draw(world, number, dice)
  local draw = dice:roll(3) == 1 and draw_shell or draw_simple
  local child = draw(world, number, dice)
  child.world = world
  return setmetatable(child, Child)
end

--- All that it writes to stdout.
function Child:stdout()
  return self.head .. self.world.out:sub(1, self.out)
end

--- All that it writes to stderr.
function Child:stderr()
  return self.world.err:sub(1, self.err)
end

-- -- What may come of it ------------------------------------------------------

local function describe(name, got, want)
  if got == nil then return name .. " is nil" end
  local at = 1
  while at <= #got and got:byte(at) == want:byte(at) do at = at + 1 end
  return ("%s has %d of %d bytes and differs at %d: %q"):format(name, #got,
    #want, at, got:sub(at, at + 20))
end

--- Was it left alone? Then it wrote all, and exited with its code.
-- @treturn ?string what is wrong
function Child:judge_whole(returncode, stdout, stderr)
  if returncode ~= self.code then
    return ("it returned %s, not %d"):format(returncode, self.code)
  end
  local want = self:stdout()
  if stdout ~= want then return describe("stdout", stdout, want) end
  want = self:stderr()
  if stderr ~= want then return describe("stderr", stderr, want) end
end

local function begins(want, got)
  return type(got) == "string" and want:sub(1, #got) == got
end

--- It may have been ended at any time: is what it wrote a beginning?
-- @treturn ?string what is wrong
function Child:judge_begun(stdout, stderr)
  local want = self:stdout()
  if not begins(want, stdout) then return describe("stdout", stdout, want) end
  want = self:stderr()
  if not begins(want, stderr) then return describe("stderr", stderr, want) end
end

--- One of these signals (a set of numbers) may have ended it.
-- @treturn ?string what is wrong
function Child:judge_cut(signals, returncode, stdout, stderr)
  if returncode == self.code then
    return self:judge_whole(returncode, stdout, stderr)
  end
  if not signals[-(returncode or 0)] then
    return ("it returned %s"):format(returncode)
  end
  return self:judge_begun(stdout, stderr)
end

return M
