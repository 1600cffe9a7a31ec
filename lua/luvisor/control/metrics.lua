--- What Prometheus reads.
-- @local

local core_os = require "luvisor.core.os"
local time = require "luvisor.time"

local M = {}

local states = { "stopped", "waiting", "starting", "running", "stopping",
                 "backoff", "failed", "done" }

local function quoted(text)
  return '"' .. tostring(text):gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"',
    ["\n"] = "\\n" }) .. '"'
end

local function labels_of(inst)
  return ("service=%s,instance=%s"):format(quoted(inst.service),
    quoted(inst.name))
end

local function add_family(out, name, kind, help)
  out[#out + 1] = ("# HELP %s %s\n# TYPE %s %s\n"):format(name, help, name,
    kind)
end

local function add(out, name, labels, value)
  local set = labels and "{" .. labels .. "}" or ""
  out[#out + 1] = ("%s%s %s\n"):format(name, set, value)
end

local function add_states(out, list)
  add_family(out, "luvisor_service_state", "gauge",
    "1 for the state that an instance is in.")
  for _, inst in ipairs(list) do
    for _, state in ipairs(states) do
      add(out, "luvisor_service_state", ("%s,state=%s"):format(labels_of(inst),
        quoted(state)), inst.state == state and 1 or 0)
    end
  end
end

-- One number of each instance: name, kind, help, its value (nil: none).
local families = {
  { "luvisor_service_up", "gauge", "1 if it is running or done.",
    function(inst) return inst.ready and 1 or 0 end },
  { "luvisor_service_restarts_total", "counter",
    "How often it was started again.",
    function(inst) return inst.restarts end },
  { "luvisor_service_uptime_seconds", "gauge", "How long it has been running.",
    function(inst) return inst.uptime and ("%.3f"):format(inst.uptime) end },
  { "luvisor_service_pid", "gauge", "Its main process.",
    function(inst) return inst.pid end },
  { "luvisor_service_state_since_seconds", "gauge",
    "When its state began, since 1970.",
    function(inst) return inst.since and ("%.3f"):format(inst.since) end },
}

local function add_services(out, list)
  add_states(out, list)
  for _, family in ipairs(families) do
    local name, kind, help, value_of = table.unpack(family)
    add_family(out, name, kind, help)
    for _, inst in ipairs(list) do
      local value = value_of(inst)
      if value then add(out, name, labels_of(inst), value) end
    end
  end
end

-- Of logs: bytes, dropped, rotations.
local log_families = {
  { "luvisor_log_bytes_total", "bytes", "Bytes that came to its log." },
  { "luvisor_log_dropped_bytes_total", "dropped",
    "Bytes that its log had no room for." },
  { "luvisor_log_rotations_total", "rotations", "How often it was rotated." },
}

local function add_logs(out, sup, list)
  local stats = {}
  for _, one in ipairs(list) do
    local inst = sup:find(one.name)[1]
    stats[one] = inst.log.stats and inst.log:stats() or {}
  end
  for _, family in ipairs(log_families) do
    local name, field, help = table.unpack(family)
    add_family(out, name, "counter", help)
    for _, one in ipairs(list) do
      local value = stats[one][field]
      if value then add(out, name, labels_of(one), value) end
    end
  end
end

local function read(path)
  local file <close> = io.open(path)
  return file and file:read "a" or ""
end

local function add_process(out, sup)
  local function one(name, kind, help, value)
    add_family(out, name, kind, help)
    add(out, name, nil, value)
  end
  add_family(out, "luvisor_info", "gauge", "The version.")
  add(out, "luvisor_info", "version=" .. quoted(core_os.version), 1)
  one("luvisor_uptime_seconds", "gauge", "How long luvisor has been running.",
    ("%.3f"):format(time.wall() - sup.started))
  local kib = read "/proc/self/status":match "VmRSS:%s*(%d+)"
  if kib then
    one("process_resident_memory_bytes", "gauge", "Memory of luvisor itself.",
      math.tointeger(tonumber(kib)) * 1024)
  end
  one("process_cpu_seconds_total", "counter", "Its processor time.",
    ("%.2f"):format(os.clock()))
  one("process_open_fds", "gauge", "Its open descriptors.", #core_os.fds())
end

--- All figures, as text.
-- @tparam Supervisor sup
-- @treturn string
function M.text(sup)
  local out, list = {}, sup:list()
  add_services(out, list)
  add_logs(out, sup, list)
  add_process(out, sup)
  return table.concat(out)
end

return M
