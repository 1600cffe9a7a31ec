--- How a process ended: Status, and Result which adds what it wrote.
-- @local

local M = {}

-- "exited 7", "killed by TERM"
local function describe(status)
  if status.signal then
    local core = status.core and " (core dumped)" or ""
    return ("killed by %s%s"):format(status.signal, core)
  end
  if status.code then return "exited " .. status.code end
  return "ended, nobody knows how"
end

local Status = { __name = "luvisor.Status", __tostring = describe }
local Result = { __name = "luvisor.Result", __tostring = describe }

--- The fields that C gives, as a Status.
function M.status(fields)
  return setmetatable(fields, Status)
end

--- A Result: the status' fields and more.
function M.result(status, fields)
  for name, value in pairs(status) do
    if fields[name] == nil then fields[name] = value end
  end
  return setmetatable(fields, Result)
end

return M
