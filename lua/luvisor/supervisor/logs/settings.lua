--- Where each stream of an instance goes, as the configuration says: pure.
-- @local

local M = {}

--- The sockets of the journal and of syslog.
M.journal = "/run/systemd/journal/socket"
M.syslog = "/dev/log"

local both = { "stdout", "stderr" }

-- Instances of one service do not share a file: app.log is app@2.log for the
-- second.
local function path_of(inst, name)
  if inst.number then
    local stem, ending = name:match "^(.*[^/])(%.[^./]*)$"
    name = ("%s@%d%s"):format(stem or name, inst.number, ending or "")
  end
  if name:sub(1, 1) == "/" then return name end
  return inst.sup.config.log.dir .. "/" .. name
end

local function default_file(inst)
  return (inst.service or inst.name):gsub("/", "_") .. ".log"
end

local function file_outlets(inst, log)
  if not log.stdout and not log.stderr then
    return { { streams = both,
               path = path_of(inst, log.file or default_file(inst)) } }
  end
  local out = path_of(inst, log.stdout or log.file or default_file(inst))
  local err = path_of(inst, log.stderr or log.file or default_file(inst))
  if out == err then return { { streams = both, path = out } } end
  return { { streams = { "stdout" }, path = out },
           { streams = { "stderr" }, path = err } }
end

local targets = {}

function targets.file(inst, log)
  local outlets = file_outlets(inst, log)
  for _, one in ipairs(outlets) do one.target = "file" end
  return outlets
end

function targets.journal()
  return { { target = "journal", streams = both, path = M.journal,
             other = M.syslog } }
end

function targets.syslog()
  return { { target = "journal", streams = both, other = M.syslog } }
end

function targets.null()
  return { { target = "null", streams = both } }
end

function targets.inherit()
  return { { target = "shared", streams = { "stdout" }, fd = 1 },
           { target = "shared", streams = { "stderr" }, fd = 2 } }
end

local function stamp_of(log)
  if log.timestamps == true then return "iso" end
  return log.timestamps or nil
end

-- A log alone may not be bigger than all of its files together.
local function size_of(log)
  local most, total = log.max_size or 0, log.total or 0
  if total > 0 and (most == 0 or most > total) then return total end
  return most
end

--- What an instance needs: one or two outlets.
-- @tparam table inst name, service, number, spec, sup
-- @treturn {table,...} streams ("stdout", "stderr"), and what
-- luvisor.core.sink's open takes
function M.outlets(inst)
  local log = inst.spec.log
  local outlets = targets[log.target or "file"](inst, log)
  for _, one in ipairs(outlets) do
    one.name = inst.name:gsub("%c", "_")
    one.max_size, one.keep = size_of(log), log.keep or 0
    one.total = log.total or 0
    one.stamp, one.drop = stamp_of(log), log.on_pressure == "drop" or nil
    one.gzip = log.gzip and one.target == "file" or nil
  end
  return outlets
end

--- Can a sink change from one to the other while a process writes to it?
-- @treturn boolean
function M.same_shape(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if table.concat(a[i].streams) ~= table.concat(b[i].streams) then
      return false
    end
  end
  return true
end

return M
