--- The body of an answer, as it comes.
-- @module luvisor.http
-- @type Body

local errors = require "luvisor.error"

local M = {}

local LINE <const> = 1 << 20

--- The body of a request with `stream = true`. What is not read yet the server
-- keeps, if it is much. Calling it is reading the next bytes, so that it is an
-- iterator: `for chunk in answer.body do`. It has `<close>`.
-- @type Body
local Body = { __name = "luvisor.http.Body" }
Body.__index = Body

--- @local
function M.new(transfer)
  return setmetatable({ _transfer = transfer, _rest = "" }, Body)
end

--- Some more bytes, as soon as there are any. Waits.
-- @treturn ?string nil: the end
-- @raise IncompleteRead: the connection was lost before; Closed
function Body:chunk()
  local rest = self._rest
  if rest ~= "" then
    self._rest = ""
    return rest
  end
  if self._ended then return nil end
  if not self._transfer then
    errors.raise { kind = "Closed", message = "the answer is closed" }
  end
  local chunk = self._transfer:read()
  if chunk then return chunk end
  self:close()
  self._ended = true
  return nil
end

Body.__call = Body.chunk

--- All that is left. Waits.
-- @tparam[opt] integer max bytes
-- @treturn string
-- @raise IncompleteRead; LimitOverrun: there is more than max, with `partial`
function Body:read(max)
  local parts, size = {}, 0
  for chunk in self do
    parts[#parts + 1] = chunk
    size = size + #chunk
    if max and size > max then
      errors.raise { kind = "LimitOverrun", partial = table.concat(parts),
        message = ("the answer has more than %d bytes"):format(max) }
    end
  end
  return table.concat(parts)
end

--- A line without its end, "\n" or "\r\n". Waits.
-- @tparam[opt=1048576] integer max bytes
-- @treturn ?string nil: the end
-- @raise IncompleteRead; LimitOverrun: it is longer than max
function Body:readline(max)
  local parts, size = {}, 0
  max = max or LINE
  for chunk in self do
    local stop = chunk:find("\n", 1, true)
    if stop then
      self._rest = chunk:sub(stop + 1)
      parts[#parts + 1] = chunk:sub(1, stop - 1)
      return (table.concat(parts):gsub("\r$", ""))
    end
    parts[#parts + 1] = chunk
    size = size + #chunk
    if size > max then
      errors.raise { kind = "LimitOverrun",
        message = ("a line of more than %d bytes"):format(max) }
    end
  end
  return size > 0 and table.concat(parts) or nil
end

--- An iterator over the lines.
-- @treturn function
function Body:lines()
  return function() return self:readline() end
end

--- Read no more, and close the connection. Twice is harmless.
function Body:close()
  if self._transfer then self._transfer:close() end
  self._transfer = nil
end

Body.__close = Body.close

return M
