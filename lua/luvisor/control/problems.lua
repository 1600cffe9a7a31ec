--- What went wrong, as clients are told: a status, and
-- {error = {kind, message}}.
-- @local

local errors = require "luvisor.error"
local json = require "luvisor.json"
local plain = require "luvisor.control.plain"

local M = {}

local statuses = {
  UsageError = 400, SyntaxError = 400, ConfigError = 400,
  Unauthorized = 401, Forbidden = 403, NotFound = 404, BadMethod = 405,
  Failed = 409, Closed = 409, NoProcess = 409, Busy = 409,
  LimitOverrun = 413, TooBusy = 503, Timeout = 504,
}

-- Fields that say more than the sentence.
local further = { "subject", "code", "op", "status", "errors", "line", "column",
                  "near" }

--- Raise a problem of these kinds.
-- @tparam string kind
-- @tparam string format
-- @param ... its values
function M.raise(kind, format, ...)
  errors.raise { kind = kind, message = format:format(...) }
end

local function one_line_each(err)
  return errors.is_error(err) and tostring(err.message or err) or tostring(err)
end

--- The answer to who asked for what failed.
-- @param err anything that was raised
-- @treturn table status, headers, body
function M.answer(err)
  local is_ours = errors.is_error(err)
  local kind = is_ours and err.kind or "Error"
  local told = { kind = kind, message = one_line_each(err) }
  for _, field in ipairs(further) do
    if is_ours then told[field] = plain.value(err[field]) end
  end
  local headers = { ["Content-Type"] = "application/json" }
  for name, value in pairs(is_ours and err.headers or {}) do
    headers[name] = value
  end
  return { status = statuses[kind] or 500, headers = headers,
           body = json.encode { error = told } .. "\n" }
end

return M
