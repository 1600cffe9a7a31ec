--- The steps of a plan as people read them.
-- @local

local json = require "luvisor.json"
local output = require "luvisor.cli.output"

local M = {}

local function changed(step)
  if #(step.keys or {}) == 0 then return "" end
  return (" (%s)"):format(table.concat(step.keys, ", "))
end

local texts = {
  start = function(step)
    if step.starts ~= false then return "start " .. step.service end
    return ("add %s (autostart = false)"):format(step.service)
  end,
  stop = function(step) return "stop " .. step.service end,
  restart = function(step)
    if step.starts ~= false then
      return "restart " .. step.service .. changed(step)
    end
    return ("update %s%s, which stays stopped"):format(step.service,
      changed(step))
  end,
  update = function(step)
    return "update " .. step.service .. changed(step)
  end,
  scale = function(step)
    return ("scale %s from %d to %d"):format(step.service, step.from, step.to)
  end,
}

-- The step after it says that, too.
local function is_scaling(step)
  return step.action == "update" and #step.keys == 1
    and step.keys[1] == "instances"
end

--- Print steps, one a line.
-- @tparam table args json
-- @tparam {table,...} steps
-- @tparam string nothing what to say if there are none
function M.tell(args, steps, nothing)
  if args.json then return output.json { steps = json.list(steps) } end
  for _, step in ipairs(steps) do
    local text = texts[step.action]
    if not is_scaling(step) then
      output.write(text and text(step) or step.action .. " " .. step.service,
        "\n")
    end
  end
  if #steps == 0 then output.write(nothing, "\n") end
end

return M
