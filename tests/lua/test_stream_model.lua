-- Readers, and copies between them, do what a string would do: any sequence of
-- calls, over bytes that come in any pieces, with waits cut short at any time.

local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local random = math.random

local function text_of(n)
  local letters = { "a", "a", "b", "\n", ";" }
  local bytes = {}
  for i = 1, n do bytes[i] = letters[random(#letters)] end
  return table.concat(bytes)
end

-- Write it in pieces of any size, with pauses.
local function write_pieces(w, text)
  local at = 1
  while at <= #text do
    local n = random(random(2) == 1 and 4 or 3000)
    w:write(text:sub(at, at + n - 1))
    at = at + n
    if random(3) == 1 then task.checkpoint() end
    if random(20) == 1 then task.sleep(0) end
  end
  w:close()
end

-- What is left to be read, and how the Reader's methods would read it.
local Model = {}
Model.__index = Model

function Model:take(n)
  local bytes = self.text:sub(1, n)
  self.text = self.text:sub(n + 1)
  return bytes
end

function Model:readexactly(n)
  local enough = #self.text >= n
  local bytes = self:take(n)
  return enough and bytes or "IncompleteRead: " .. bytes
end

function Model:readline(keep)
  if self.text == "" then return nil end
  local line = self:take(self.text:find("\n", 1, true) or #self.text)
  return keep and line or (line:gsub("\n$", ""))
end

function Model:readuntil(seps)
  local ends
  for _, sep in ipairs(seps) do
    local _, this = self.text:find(sep, 1, true)
    if this and (not ends or this < ends) then ends = this end
  end
  if ends then return self:take(ends) end
  return "IncompleteRead: " .. self:take(#self.text)
end

function Model:unread(bytes)
  self.text = bytes .. self.text
end

local separators = { { "\n" }, { ";\n" }, { "aab" }, { "abab", "b" },
                     { "\n;\n", "a;" }, { "never" }, { ("x"):rep(300), ";" } }

-- A call: what to do, and with which argument.
local calls = {
  function() return "readexactly", random(random(2) == 1 and 5 or 5000) end,
  function() return "readline", random(2) == 1 end,
  function() return "readuntil", separators[random(#separators)] end,
  function() return "unread", text_of(random(0, 3)) end,
}

local function attempt(r, method, arg)
  local ok, result = pcall(r[method], r, arg)
  if ok then return result end
  return result.kind .. ": " .. tostring(result.partial)
end

-- Calls it, perhaps after attempts that are cut short: they take nothing.
local function call(r, method, arg)
  while method ~= "unread" and random(4) == 1 do
    local ended, result = task.move_on(0, attempt, r, method, arg)
    if ended then return result end
  end
  return attempt(r, method, arg)
end

-- These give what is there; it must be what comes next.
local function read_some(r, model)
  local n = random(random(2) == 1 and 5 or 5000)
  local look = random(3) == 1
  local bytes = look and r:peek(n) or not look and r:read(n) or nil
  if bytes == nil then return model.text == "" end
  local next_bytes = model.text:sub(1, #bytes)
  if not look then model:take(#bytes) end
  return #bytes > 0 and #bytes <= n and bytes == next_bytes
end

local function run_against_model(r, text)
  local model = setmetatable({ text = text }, Model)
  while model.text ~= "" do
    if random(3) == 1 then
      if not read_some(r, model) then return "read or peek" end
    else
      local method, arg = calls[random(#calls)]()
      local want = model[method](model, arg)
      local got = call(r, method, arg)
      if got ~= want then
        return ("%s: got %q, want %q"):format(method, got, want)
      end
    end
  end
  if r:read() ~= "" or r:read(1) ~= nil or not r:at_eof() then
    return "the end"
  end
end

tap.test("any reads of any pieces give what they would of a string", function()
  for seed = 1, 150 do
    math.randomseed(seed)
    local r, w = stream.pipe()
    local text = text_of(random(20000))
    r.limit = random(3) == 1 and random(50) or random(10000)
    task.spawn(write_pieces, w, text)
    local wrong = run_against_model(r, text)
    r:close()
    if wrong then
      tap.ok(false, ("seed %d: %s"):format(seed, wrong))
      return
    end
  end
  tap.ok(true)
end)

-- Copy r to w in many copies, which are cut short, with reads between them.
local function copy_in_parts(r, w)
  repeat
    local ended = task.move_on(random() / 2000, r.copy_to, r, w)
    if not ended and random(3) == 1 then
      task.move_on(0, function()
        local bytes = r:read(random(100))
        if bytes then r:unread(bytes) end
      end)
    end
  until ended
  w:close()
end

tap.test("copies that are cut short lose, double and mix nothing", function()
  for seed = 1, 40 do
    math.randomseed(seed)
    local text = text_of(random(300000))
    local r1, w1 = stream.pipe()
    local r2, w2 = stream.pipe()
    task.spawn(write_pieces, w1, text)
    local copying = task.spawn(copy_in_parts, r1, w2)
    local got = {}
    for bytes in r2:chunks(random(20000)) do
      got[#got + 1] = bytes
      if random(10) == 1 then task.sleep(0) end
    end
    copying:join()
    if table.concat(got) ~= text then
      tap.ok(false, "seed " .. seed)
      return
    end
  end
  tap.ok(true)
end)

tap.done()
