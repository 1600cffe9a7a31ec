-- Cancel a dialogue at its first pass of the scheduler, at its second … until
-- it completes: nothing is left behind (the harness looks), and of what the
-- program said no byte is lost, however the dialogue goes on.

local expect = require "luvisor.expect"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local PASSES <const>, MOST <const> = 20, 90

-- The first steps are passes of the scheduler, the others pauses that grow: so
-- it does not matter how fast the programs are.
local function step(i)
  if i <= PASSES then
    task.checkpoint()
  else
    task.sleep(0.0001 * 1.25 ^ (i - PASSES))
  end
end

-- Calls fn in a task that is cancelled after k steps. Did it complete?
local function cancelled_after(k, fn)
  local completed = false
  local t = task.spawn(function()
    fn()
    completed = true
  end)
  for i = 1, k do
    if t.state == "done" then break end
    step(i)
  end
  t:cancel()
  local ok, err = pcall(t.join, t)
  if not ok and err.kind ~= "Cancelled" then error(err, 0) end
  return completed
end

local PROGRAM <const> = [[
  for i in 1 2 3 4 5; do echo line $i; done
  stty -echo
  printf 'key: '
  read -r k
  echo "got $k"
  read -r k
  echo "and $k"
]]

-- A dialogue that notes what it takes.
local function dialogue(s, taken)
  local function hear(pattern, opts)
    local i = s:expect(pattern, opts)
    taken[#taken + 1] = s.before
    if type(s.after) == "string" then taken[#taken + 1] = s.after end
    return i
  end
  hear "line 3"
  hear { "line", { literal = "nothing" } }
  while hear({ "key: ", expect.TIMEOUT }, { timeout = 0.001 }) == 2 do
    taken[#taken] = nil -- TIMEOUT takes nothing
  end
  s:sendline("one", { noecho = true })
  hear "got one"
  s:sendline "two"
  s:wait()
  hear(expect.EOF)
end

for _, pty in ipairs { true, false } do
  local where = pty and "at a terminal" or "by pipes"
  tap.test("a cancelled dialogue loses nothing, " .. where, function()
    for k = 0, MOST do
      local said, taken = {}, {}
      local s <close> = expect.spawn { shell = pty and PROGRAM
        or PROGRAM:gsub("stty %-echo", ":"), pty = pty }
      if not pty then
        function s.sendline(self, text) -- there is no echo to wait for
          self:send(text .. "\n")
        end
      end
      s:log(function(text) said[#said + 1] = text end)
      local completed = cancelled_after(k, function() dialogue(s, taken) end)
      s.sendline = nil
      if completed then return tap.ok(k > 0, k .. " points") end
      if s:isalive() then
        pcall(function()
          s:sendline "more"
          s:sendline "and more"
        end)
      end
      s:expect(expect.EOF)
      taken[#taken + 1] = s.before
      if table.concat(taken) ~= table.concat(said) then
        tap.is(table.concat(taken), table.concat(said), k .. " steps")
      end
    end
    tap.ok(false, "it completes uncancelled")
  end)
end

tap.test("a cancelled flood of input leaves nothing", function()
  for k = 0, MOST do
    local s <close> = expect.spawn { "cat", pty = { echo = false } }
    local flood = ("x"):rep(99) .. "\n"
    local completed = cancelled_after(k, function()
      s:send(flood:rep(3000))
      s:expect "x\r\n$"
    end)
    if completed then return tap.ok(k > 0, k .. " points") end
    tap.ok(s:isalive())
  end
  tap.ok(false, "it completes uncancelled")
end)

tap.done()
