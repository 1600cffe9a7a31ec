--- What can be sent to a worker and back, and what cannot.
-- Values go as messages of luvisor.core.codec. What it refuses is found again
-- here, to be named.
-- @local

local codec = require "luvisor.core.codec"
local core = require "luvisor.core.pool"
local errors = require "luvisor.error"
local statuses = require "luvisor.process.status"

local M = {}

-- Objects that are only data stay what they are. Errors come first.
codec.set_classes {
  getmetatable(errors.new { kind = "UsageError" }),
  getmetatable(statuses.status {}),
  getmetatable(statuses.result({}, {})),
}

local SHOWN <const> = 40 -- bytes of a key

--- encode(...): a message of these values, or nil: `refuse` says why.
M.encode = codec.encode

local SIZE <const> = 8 -- bytes, before each message: how long it is
local MUCH <const> = 1 << 20 -- bytes of a message for which it is worth asking

--- Read a message. Waits.
-- @tparam Reader reader
-- @return its values
-- @raise IncompleteRead, Closed, and what else reading raises
function M.receive(reader)
  local size = string.unpack("=I8", reader:readexactly(SIZE))
  if size < MUCH then return codec.decode(reader:readexactly(size)) end
  core.set_bulk(reader, true)
  local message = reader:readexactly(size)
  core.set_bulk(reader, false)
  return codec.decode(message)
end

local is_sendable = {
  ["nil"] = true, boolean = true, number = true, string = true, table = true,
}

local function quoted(text)
  if #text > SHOWN then text = text:sub(1, SHOWN) .. "…" end
  return '"' .. text:gsub("[%c\"\\]", function(c)
    return ("\\x%02x"):format(c:byte())
  end) .. '"'
end

local function step(path, key)
  if type(key) == "string" then return path .. ", field " .. quoted(key) end
  if math.type(key) == "integer" then return path .. ", element " .. key end
  return ("%s, [%s]"):format(path, tostring(key))
end

local names = { thread = "a coroutine" }

local function describe_kind(value)
  return names[type(value)] or "a " .. type(value)
end

-- The first value in the tables of the list that cannot be sent: its path, and
-- what it is.
local function search(list)
  local seen = {}
  local function look(path, value)
    if not is_sendable[type(value)] then return path, describe_kind(value) end
    if type(value) ~= "table" or seen[value] then return nil end
    seen[value] = true
    list[#list + 1] = { path, value }
  end
  for _, item in ipairs(list) do
    local path, table = item[1], item[2]
    for key, value in next, table do
      local where, what = look("a key of " .. path, key)
      if not where then where, what = look(step(path, key), value) end
      if where then return where, what end
    end
  end
end

--- Raise the UsageError for values of which `encode` has made no message.
-- @tparam string where the function, for the message
-- @tparam string what each of them is called: "argument"
-- @tparam integer first the number of the first one
-- @param ... them
function M.refuse(where, what, first, ...)
  local tables = {}
  for i = 1, select("#", ...) do
    local value, path = (select(i, ...)), what .. " " .. i + first - 1
    if not is_sendable[type(value)] then
      errors.usage("%s: %s is %s, which cannot be sent to another process",
        where, path, describe_kind(value))
    end
    if type(value) == "table" then tables[#tables + 1] = { path, value } end
  end
  local path, kind = search(tables)
  errors.usage("%s: %s is %s, which cannot be sent to another process", where,
    path or what, kind or "something")
end

local function describe(value)
  local ok, text = pcall(tostring, value)
  return ok and text or type(value)
end

--- A copy in which what cannot be sent is replaced by its description: for
-- errors, which must arrive.
function M.presentable(root)
  local copies, queue = {}, {}
  local function copy(value)
    if type(value) ~= "table" then
      return is_sendable[type(value)] and value or describe(value)
    end
    if not copies[value] then
      copies[value] = setmetatable({}, getmetatable(value))
      queue[#queue + 1] = value
    end
    return copies[value]
  end
  local result = copy(root)
  for _, original in ipairs(queue) do
    for key, value in next, original do
      rawset(copies[original], copy(key), copy(value))
    end
  end
  return result
end

return M
