-- Requests that are made at random, or are good ones spoilt. Whatever comes:
-- it is answered or closed upon, the server goes on, nothing is left of it.
-- slow
--
-- LUVISOR_FUZZ_SEED: another seed than today's; LUVISOR_FUZZ_SECONDS: go on for
-- so long, with another seed each round.
local core_os = require "luvisor.core.os"
local routes = require "luvisor.control.routes"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"

local is, ok = tap.is, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local controls = dofile(SOURCE .. "/tests/support/control.lua")
local SECONDS <const> = tonumber(os.getenv "LUVISOR_FUZZ_SECONDS")
local REQUESTS <const> = 3000 -- of a round
local AT_ONCE <const> = 20

local seed = tonumber(os.getenv "LUVISOR_FUZZ_SEED") or 20261121

local function one_of(list)
  return list[math.random(#list)]
end

local function chance(p)
  return math.random() < p
end

-- Making requests -------------------------------------------------------------

local words = {
  "web", "w", "w@1", "w@9", "nope", "", "%00", "%2F", "..", "%zz", "%", "a b",
  ("x"):rep(300), "\xff", "{name}", "é", "?", "#", "v1", "services",
}

local values = { "0", "1", "-1", "0.01", "1e9", "nan", "inf", "0x7fffffff",
  "99999999999999999999", "true", "", "%00", "web", "ready", "stopped", "1m",
  ("9"):rep(400) }

local query_names = { "wait", "n", "follow", "since", "service", "state", "x",
                      "", "%00" }

local bodies = {
  "", "{}", '{"signal":"CONT"}', '{"signal":"NOPE"}', '{"signal":-1}',
  '{"signal":18}', '{"instances":1}', '{"instances":-1}', '{"instances":2}',
  '{"instances":1e308}', '{"state":"stopped"}', '{"state":{}}', "[]", "null",
  "nonsense", "{", ("["):rep(5000), '{"a":"' .. ("x"):rep(5000) .. '"}',
  '{"\\u0000":1}', '"\xff"', "\0",
}

local methods = { "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH",
                  "CONNECT", "TRACE", "get", "X", "", "G\0T" }

local headers = {
  "Host: x", "Host:", "host: a\r\nHost: b", "Connection: close",
  "Connection: keep-alive", "Connection: upgrade\r\nUpgrade: h2c",
  "Expect: 100-continue", "Expect: nonsense", "Accept: application/x-ndjson",
  "Last-Event-ID: 3", "Last-Event-ID: x", "Cookie: a=b; c", "X: \0",
  "X: " .. ("y"):rep(3000), "X : y", " X: y", "X", ": y", "X: a\r\n b",
  "Content-Type: application/json", "Transfer-Encoding: gzip",
  "Content-Length: 5", "Content-Length: -1", "Content-Length: 0x5",
  "Content-Length: 99999999999999999999", "Range: bytes=0-1",
  "Authorization: Bearer x", "Transfer-Encoding: chunked",
}

-- What nobody could wait for: the supervisor would end.
local function is_harmless(path)
  return not path:find "shutdown"
end

local function path_of(row)
  local path = row[2]:gsub("{name}", function()
    return chance(0.6) and one_of { "web", "w", "w@1" } or one_of(words)
  end)
  if chance(0.1) then path = path .. "/" .. one_of(words) end
  if chance(0.05) then path = one_of(words) .. path end
  return path
end

local function query()
  local parts = {}
  for i = 1, math.random(0, 3) do
    parts[i] = one_of(query_names) .. one_of { "=", "", "==" }
      .. one_of(values)
  end
  if #parts == 0 then return "" end
  return "?" .. table.concat(parts, one_of { "&", "&&", "?" })
end

local function chunked(body)
  local parts = {}
  while body ~= "" do
    local n = math.random(1, #body)
    parts[#parts + 1] = ("%x\r\n%s\r\n"):format(n, body:sub(1, n))
    body = body:sub(n + 1)
  end
  return table.concat(parts) .. "0\r\n\r\n"
end

-- Waits end by themselves, and what follows a log is left by us.
local function request_line(row)
  local method = chance(0.8) and row[1] or one_of(methods)
  local asked = row[1] == "POST" and "?wait=0.02" or ""
  if chance(0.5) then asked = query() end
  return ("%s %s%s HTTP/1.%d"):format(method, path_of(row), asked,
    chance(0.9) and 1 or 0)
end

local function framed(body)
  if body == "" then return nil, "" end
  if chance(0.2) then return "Transfer-Encoding: chunked", chunked(body) end
  return "Content-Length: " .. #body, body
end

local function request()
  local row
  repeat row = one_of(routes.table) until is_harmless(row[2])
  local lines = { request_line(row) }
  if chance(0.9) then lines[2] = "Host: x" end
  for _ = 1, math.random(0, 3) do lines[#lines + 1] = one_of(headers) end
  local frame, body = framed(row[1] == "POST" and one_of(bodies) or "")
  lines[#lines + 1] = frame
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

local spoilers = {
  function(s, at) return s:sub(1, at - 1) .. string.char(math.random(0, 255))
    .. s:sub(at + 1) end,
  function(s, at) return s:sub(1, at) end,
  function(s, at) return s:sub(1, at) .. s:sub(math.max(1, at - 10)) end,
  function(s, at) return s:sub(1, at - 1) .. s:sub(at + math.random(1, 9)) end,
  function(s, at) return s:sub(1, at) .. ("\r\n"):rep(math.random(1, 3))
    .. s:sub(at + 1) end,
  function(s) return s:gsub("\r\n", "\n") end,
  function(s) return s .. request() end,
}

local function noise()
  local bytes = {}
  for i = 1, math.random(1, 200) do
    bytes[i] = string.char(math.random(0, 255))
  end
  return table.concat(bytes) .. "\r\n\r\n"
end

local function spoilt(text)
  if chance(0.05) then text = noise() end
  while #text > 0 and chance(0.4) do
    text = one_of(spoilers)(text, math.random(#text))
  end
  return is_harmless(text) and text or ""
end

-- Sending them ----------------------------------------------------------------

local Round = {}
Round.__index = Round

-- What has come is an answer, or nothing.
function Round:judge(text, got)
  if got == "" or got:find "^HTTP/1%.[01] [1-5]%d%d " then
    self.answered = self.answered + (got ~= "" and 1 or 0)
    return
  end
  self.bad = self.bad or ("%q was answered %q"):format(text, got:sub(1, 100))
end

function Round:send(text)
  local socket <close> = self.test:connect()
  local pieces = chance(0.2) and math.random(2, 4) or 1
  local got, from = "", 1
  pcall(function()
    for i = 1, pieces do
      local to = i == pieces and #text or from + #text // pieces
      socket:write(text:sub(from, to))
      from = to + 1
      task.checkpoint()
    end
    if chance(0.3) then return end -- it leaves at once
    if chance(0.1) then socket:write_eof() end
    task.move_on(self.patience, function() got = socket:read(4096) or "" end)
  end)
  self:judge(text, got)
end

local function play(test, one_seed)
  math.randomseed(one_seed)
  local texts = {}
  for i = 1, REQUESTS do texts[i] = spoilt(request()) end
  local round = setmetatable({ test = test, answered = 0, patience = 0.05 },
    Round)
  local at = 0
  task.nursery(function(n)
    for _ = 1, AT_ONCE do
      n:spawn(function()
        while at < #texts do
          at = at + 1
          round:send(texts[at])
        end
      end)
    end
  end)
  return round
end

local function check(test, round, one_seed)
  local name = ("seed %d: "):format(one_seed)
  ok(not round.bad, name .. (round.bad or "answers are answers"))
  ok(round.answered > REQUESTS / 4, name .. round.answered .. " answers")
  local answer = test:ask("GET", "/v1/services")
  is(answer.status, 200, name .. "the server goes on")
  tap.eventually(function() return test.control:connections() == 0 end, 20,
    name .. "nobody is connected")
end

tap.test("whatever is sent, the server goes on", function()
  local test <close> = controls.open({
    web = { command = { "sleep", "1000" }, stop = { signal = "KILL" } },
    w = { command = { "sleep", "1000" }, instances = 2,
          stop = { signal = "KILL" } },
  }, { limits = { receive = 0.3, stall = 0.3 } })
  test.sup.log = setmetatable({}, { __index = function(_, level)
    return function(_, message, fields)
      if level == "error" then
        ok(false, message .. ": " .. tostring(fields and fields.error)
          .. " " .. tostring(fields and fields.request))
      end
    end
  end })
  local deadline = time.now() + (SECONDS or 0)
  local one_seed, fds = seed, nil
  repeat
    print("# seed " .. one_seed)
    check(test, play(test, one_seed), one_seed)
    collectgarbage()
    tap.eventually(function() -- what was asked for goes on for a while
      for _, name in ipairs { "web", "w" } do test.sup:stop(name) end
      fds = fds or #core_os.fds()
      return #core_os.fds() <= fds + 6
    end, 20, "the descriptors are closed")
    one_seed = one_seed + 1
  until time.now() >= deadline
end)

tap.done()
