--- All of luvisor, loaded as it is used: `lv.process`, `lv.task`, ….
-- @module luvisor
-- @usage
-- local lv = require "luvisor"
-- print(lv.process.capture { "uname", "-s" })

local M = {}

--- The version of the program, as "0.1.0".
M.version = require "luvisor.core.os".version

--- Call a function whose failure is an answer: its results, or nil and the
-- error. A cancellation of the calling task passes through.
-- @function try
-- @tparam function fn called with the further arguments; may wait
-- @return fn's results, or nil and the error
-- @usage local text, err = lv.try(lv.process.capture, { "cat", "nosuch" })
M.try = require "luvisor.core.try"

return setmetatable(M, {
  __index = function(lv, name)
    name = tostring(name)
    local ok, module = pcall(require, "luvisor." .. name)
    if not ok then
      local missing = ("module 'luvisor.%s' not found"):format(name)
      if type(module) == "string" and module:find(missing, 1, true) then
        return nil
      end
      error(module, 0)
    end
    rawset(lv, name, module)
    return module
  end,
})
