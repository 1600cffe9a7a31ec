-- Fuzz the reading of lines and separated texts: a Reader that is fed in any
-- pieces gives what its methods would give of a string, at any limits.
--
-- The input is a number of calls, the sizes of the pieces, and the text.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local new_cursor = dofile(SOURCE .. "/tests/fuzz/cursor.lua")

local core = require "luvisor.core.stream"
local task = require "luvisor.task"

local MOST_CALLS <const> = 40

-- -- The model: what is left to be read ---------------------------------------

local Model = {}
Model.__index = Model

function Model:take(n)
  local text = self.text:sub(1, n)
  self.text = self.text:sub(n + 1)
  return text
end

-- Each returns what the Reader's method returns or raises, as a string.

function Model:readexactly(n)
  local enough = #self.text >= n
  local text = self:take(n)
  return enough and text or "IncompleteRead " .. text
end

function Model:readline(keep)
  local at = self.text:find("\n", 1, true)
  local size = at and at - 1 or #self.text
  if size > self.max_line then return "LimitOverrun" end
  if self.text == "" then return "nil" end
  local line = self:take(at or size)
  return keep and line or (line:gsub("\n$", ""))
end

-- The end of the separator that ends first, and where it begins.
local function find_first(text, seps)
  local first, begin
  for _, sep in ipairs(seps) do
    local from, to = text:find(sep, 1, true)
    local better = to and (not first or to < first
      or to == first and from > begin)
    if better then first, begin = to, from end
  end
  return first, begin
end

local function longest(seps)
  local most = 0
  for _, sep in ipairs(seps) do most = math.max(most, #sep) end
  return most
end

function Model:readuntil(seps, opts)
  local max = opts and opts.max or self.max_line
  local first, begin = find_first(self.text, seps)
  if first then
    return begin - 1 > max and "LimitOverrun" or self:take(first)
  end
  if #self.text - longest(seps) >= max then return "LimitOverrun" end
  return "IncompleteRead " .. self:take(#self.text)
end

function Model:read()
  return self:take(#self.text)
end

function Model:unread(text)
  self.text = text .. self.text
  return "nil"
end

-- -- Calls --------------------------------------------------------------------

local separators = {
  { "\n" }, { ";" }, { "ab" }, { "aab", "b" }, { "\r\n", "\n", "\r" },
  { "aa", "a" }, { "abab", "ba", ";" }, { "never in there" },
}

local calls = {
  function(c) return "readline", c:byte() % 2 == 1 end,
  function(c)
    local max = c:byte()
    return "readuntil", c:pick(separators),
      max % 2 == 1 and { max = max // 2 } or nil
  end,
  function(c) return "readexactly", c:byte() end,
  function(c) return "unread", c:text(4) end,
  function() return "read" end,
}

-- It cuts no separator to read so many bytes.
local function check_consumed(model, method, seps, consumed)
  if method == "readline" then seps = { "\n" } end
  local _, begin = find_first(model.text, seps)
  if consumed >= (begin or #model.text + 1) then
    error(("consumed is %d, a separator begins at %d"):format(consumed,
      begin or #model.text + 1), 0)
  end
end

-- The result as a string; one that is cut short has taken nothing.
local function call(c, r, method, ...)
  if c:byte() % 4 == 0 and method ~= "unread" then
    local ended, ok, value = task.move_on(0, pcall, r[method], r, ...)
    if ended then return ok, value end
  end
  return pcall(r[method], r, ...)
end

local function show(model, method, seps, ok, value)
  if ok then return tostring(value) end
  if type(value) ~= "table" or not value.kind then error(value, 0) end
  if value.kind == "LimitOverrun" then
    check_consumed(model, method, seps, value.consumed)
  end
  return value.partial and value.kind .. " " .. value.partial or value.kind
end

local function compare(c, model, r, method, ...)
  local before = model.text
  local got = show(model, method, ..., call(c, r, method, ...))
  local want = model[method](model, ...)
  if got ~= want then
    error(("%s of %q: %q, not %q"):format(method, before, got, want), 0)
  end
end

-- read(n) and peek(n) give what is there: it must be what comes.
local function compare_some(c, model, r)
  local n, method = c:byte() % 20 + 1, c:pick { "read", "peek" }
  local text = r[method](r, n)
  if text == nil then
    if model.text ~= "" then error("the end, too early", 0) end
    return
  end
  local fits = #text >= 1 and #text <= n
  if not fits or model.text:sub(1, #text) ~= text then
    error(("%s of %q: %q"):format(method, model.text, text), 0)
  end
  if method == "read" then model:take(#text) end
end

-- -- The target ---------------------------------------------------------------

local function feed(r, pieces, text)
  local at = 1
  for _, size in ipairs(pieces) do
    r:_feed(text:sub(at, at + size - 1))
    at = at + size
    task.checkpoint()
  end
  r:_feed(text:sub(at))
  r:_feed_eof()
end

local function draw_pieces(c)
  local pieces = {}
  for i = 1, c:byte() % 20 do pieces[i] = c:byte() end
  return pieces
end

local function run_calls(c, r, model, script)
  while not script:is_over() do
    if script:byte() % 3 == 0 then
      compare_some(script, model, r)
    else
      compare(script, model, r, script:pick(calls)(script))
    end
  end
  r.max_line, model.max_line = 1 << 20, 1 << 20
  compare(c, model, r, "read")
  if not r:at_eof() or r:read(1) ~= nil then error("it does not end", 0) end
end

return function(bytes)
  local c = new_cursor(bytes)
  local script = new_cursor(c:text(MOST_CALLS))
  local r <close> = core._fed(c:byte() + 1)
  r.max_line = c:byte() + 1
  local pieces = draw_pieces(c)
  local text = c:rest()
  local model = setmetatable({ text = text, max_line = r.max_line }, Model)
  task.nursery(function(n)
    n:spawn(feed, r, pieces, text)
    run_calls(c, r, model, script)
  end)
end
