-- GET /metrics: what Prometheus' own format asks for.
local metrics = require "luvisor.control.metrics"
local tap = require "luvisor.tap"

local is, ok = tap.is, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local controls = dofile(SOURCE .. "/tests/support/control.lua")

-- Labels {a="b",…} as a table; nil: they are none.
local function labels_of(text)
  local labels, at = {}, 1
  while at <= #text do
    local name, from = text:match('^([%a_][%w_]*)="()', at)
    if not name then return nil end
    local value = ""
    at = from
    while text:sub(at, at) ~= '"' do
      local char = text:sub(at, at)
      if char == "\\" then
        at = at + 1
        char = ({ ["\\"] = "\\", ['"'] = '"', n = "\n" })[text:sub(at, at)]
      end
      if not char or char == "" then return nil end
      value, at = value .. char, at + 1
    end
    labels[name], at = value, at + 1
    if at <= #text then
      if text:sub(at, at) ~= "," then return nil end
      at = at + 1
    end
  end
  return labels
end

local kinds = { counter = true, gauge = true }

-- Read it as Prometheus does; the samples by family, or nil and the bad line.
local function parse(text)
  local families, now, seen = {}, nil, {}
  for line in text:gmatch "([^\n]*)\n" do
    local help = line:match "^# HELP ([%a_:][%w_:]*) [^\n]+$"
    local typed, kind = line:match "^# TYPE ([%a_:][%w_:]*) (%a+)$"
    if help then
      if families[help] then return nil, line end
      families[help] = {}
      now = help
    elseif typed then
      if typed ~= now or not kinds[kind] then return nil, line end
      families[now].kind = kind
    else
      local name, rest = line:match "^([%a_:][%w_:]*)(.*)$"
      local set, value = (rest or ""):match "^{(.*)} (%S+)$"
      value = value or (rest or ""):match "^ (%S+)$"
      local labels = labels_of(set or "")
      local key = line:match "^(.*) "
      if name ~= now or not labels or not tonumber(value) or seen[key] then
        return nil, line
      end
      seen[key] = true
      table.insert(families[now], { labels = labels, value = tonumber(value) })
    end
  end
  return families
end

tap.test("each line is as Prometheus has it", function()
  local test <close> = controls.open {
    web = { command = { "sleep", "1000" } },
    w = { command = { "sleep", "1000" }, instances = 3 },
    once = { command = "true", type = "oneshot" },
  }
  test.sup:start "web"
  test.sup:start "once"
  local families, bad = parse(test:curl("/metrics").body)
  ok(families, bad)
  is(#families.luvisor_service_up, 5)
  is(#families.luvisor_service_state, 5 * 8)
  local sums = {}
  for _, one in ipairs(families.luvisor_service_state) do
    local name = one.labels.instance
    sums[name] = (sums[name] or 0) + one.value
  end
  for name, sum in pairs(sums) do is(sum, 1, name .. " is in one state") end
  is(families.luvisor_service_restarts_total.kind, "counter")
  is(families.process_open_fds.kind, "gauge")
  is(#families.luvisor_service_pid, 1, "only what has a process")
end)

tap.test("a figure is what status says", function()
  local test <close> = controls.open()
  test.sup:start "web"
  local status = test.sup:status "web"
  local families = parse(test.client:metrics())
  is(families.luvisor_service_pid[1].value, status.pid)
  is(families.luvisor_service_up[1].value, 1)
  is(families.luvisor_service_pid[1].labels.service, "web")
end)

tap.test("odd names are escaped", function()
  local odd = 'a"b\\c\nd'
  local inst = { name = odd, service = odd, state = "running", restarts = 0 }
  local text = metrics.text {
    started = 0, list = function() return { inst } end,
    find = function() return { { log = {} } } end,
  }
  local families, bad = parse(text)
  ok(families, bad)
  is(families.luvisor_service_up[1].labels.service, odd)
end)

tap.done()
