-- Answers that go on: events as they happen, and logs that are followed.
-- slow
local core_os = require "luvisor.core.os"
local json = require "luvisor.json"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, like, ok = tap.is, tap.like, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local controls = dofile(SOURCE .. "/tests/support/control.lua")

-- The body of an answer whose head has come.
local function follow(test, path, headers)
  local answer = test:ask("GET", path, { stream = true, headers = headers })
  is(answer.status, 200)
  return answer.body
end

-- The next server-sent event: its id, its type, what it holds.
local function next_event(body)
  local id, kind
  for line in body:lines() do
    id = line:match "^id: (%d+)$" or id
    kind = line:match "^event: (.*)$" or kind
    local data = line:match "^data: (.*)$"
    if data then return id, kind, json.decode(data, { nulls = false }) end
  end
end

local function is_left(test)
  return tap.eventually(function()
    return test.control:connections() == 0
  end, 20, "nobody is connected")
end

tap.test("events come when they happen, each with id, type and data",
  function()
    local test <close> = controls.open()
    do
      local socket <close> = follow(test, "/v1/events")
      test.sup:start "web"
      local seen = {}
      repeat
        local id, kind, data = next_event(socket)
        is(kind, data.type)
        is(tonumber(id), data.seq)
        seen[#seen + 1] = data.to
      until data.to == "running"
      is(table.concat(seen, " "), "waiting starting running")
    end
    is_left(test)
  end)

tap.test("curl -N shows them at once", function()
  local test <close> = controls.open()
  do
    local curl <close> = process.spawn {
      "curl", "-sSvN", "--unix-socket", test.path,
      "http://localhost/v1/events?service=web", stdout = "pipe",
      stderr = "pipe",
    }
    curl.stderr:readuntil "\n< \r\n" -- the head of the answer
    test.sup.events:emit("status", { service = "other", text = "not this" })
    test.sup.events:emit("status", { service = "web", text = "\xff\n" })
    like(curl.stdout:readline(), "^id: %d+$")
    is(curl.stdout:readline(), "event: status")
    local data = json.decode(curl.stdout:readline():match "^data: (.*)$")
    is(data.text, "\u{FFFD}\n")
    is(curl.stdout:readline(), "")
  end
  is_left(test)
end)

tap.test("who comes back with Last-Event-ID misses nothing", function()
  local test <close> = controls.open()
  for i = 1, 5 do test.sup.events:emit("status", { n = i }) end
  local function first(id, path)
    local socket <close> = follow(test, path or "/v1/events",
      id and { ["Last-Event-ID"] = id })
    local _, kind, data = next_event(socket)
    return data.n or kind, data
  end
  is(first(3), 4)
  is(first(0), 1)
  is(first(1000000), 1, "an id of an earlier luvisor")
  is(first(nil, "/v1/events?n=2"), 4)
  is(test:ask("GET", "/v1/events", { headers = { ["Last-Event-ID"] = "x" } })
    .status, 400)
  for i = 6, 2005 do test.sup.events:emit("status", { n = i }) end
  local kind, gap = first(5)
  is(kind, "gap")
  is(gap.lost, 1000, "so many are not remembered any more")
  local after <close> = test.client:events { after = 2004 }
  is(after().n, 2005)
end)

tap.test("the client's iterators end when they are closed", function()
  local test <close> = controls.open { web = { command = { shell =
    "for i in 1 2 3; do echo $i; done; exec sleep 1000" } } }
  test.sup:start "web"
  local lines = {}
  do
    local stream <close> = test.client:logs("web", { n = 3, follow = true })
    for line in stream do
      lines[#lines + 1] = line
      if #lines == 3 then break end
    end
  end
  is(table.concat(lines, " "), "1 2 3")
  is_left(test)
end)

local CHATTER <const> = "i=0; while :; do i=$((i+1)); echo line $i; "
  .. "sleep 0.001; done"

tap.test("a followed log is sent as it is written", function()
  local test <close> = controls.open { web = { command = { shell = CHATTER } } }
  test.sup:start "web"
  do
    local curl <close> = process.spawn {
      "curl", "-sSN", "--unix-socket", test.path, stdout = "pipe",
      "http://localhost/v1/services/web/logs?follow=1&n=0",
    }
    local first = tonumber(curl.stdout:readline():match "^line (%d+)$")
    for i = first + 1, first + 50 do
      is(curl.stdout:readline(), "line " .. i)
    end
  end
  is_left(test)
end)

tap.test("logs of all instances are followed together", function()
  local test <close> = controls.open { w = { instances = 3, command = {
    shell = "echo here; exec sleep 1000" } } }
  test.sup:start "w"
  do
    local socket <close> = follow(test, "/v1/services/w/logs?follow=1")
    local seen = {}
    while not (seen["w@1"] and seen["w@2"] and seen["w@3"]) do
      local name = socket:readline():match "^(w@%d) | here"
      if name then seen[name] = true end
    end
    ok(true, "each is heard of")
  end
  is_left(test)
end)

-- Clients that leave in the midst, again and again: nothing may grow.
tap.test("who leaves in the midst leaves nothing", function()
  local test <close> = controls.open { web = { command = { shell = CHATTER } } }
  test.sup:start "web"
  local paths = { "/v1/events", "/v1/services/web/logs?follow=1",
                  "/v1/services/web/logs", "/v1/services", "/metrics" }
  local tasks, fds, kib
  for round = 1, 40 do
    local sockets = {}
    for i, path in ipairs(paths) do
      sockets[i] = test:connect()
      sockets[i]:write(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n"):format(path))
      if round % 2 == 0 then sockets[i]:read(1) end
    end
    for _, socket in ipairs(sockets) do socket:abort() end
    if round % 20 == 0 then
      tap.eventually(function() return test.control:connections() == 0 end, 20)
      tap.eventually(function()
        return #task.list() <= (tasks or #task.list())
      end, 20)
      collectgarbage()
      collectgarbage()
      tasks = tasks or #task.list()
      fds = fds or #core_os.fds()
      kib = kib or collectgarbage "count"
    end
  end
  tap.eventually(function() return #core_os.fds() <= fds end, 20,
    "no more descriptors")
  ok(collectgarbage "count" < kib + 1000, "about as much memory")
end)

tap.test("a slow reader holds up nobody, and is told of a gap", function()
  local test <close> = controls.open(nil, { limits = { stall = 0.05 } })
  local slow <close> = follow(test, "/v1/events")
  local text = ("x"):rep(1000)
  for _ = 1, 20 do -- 20 MB, of which 10,000 events may wait for it
    for _ = 1, 1000 do test.sup.events:emit("status", { text = text }) end
    is(test:ask("GET", "/v1/services").status, 200)
  end
  local last, gap = 0, nil
  while not gap do
    local _, kind, data = next_event(slow)
    if kind == "gap" then
      gap = data.lost
    elseif data.seq ~= last + 1 then
      return ok(false, "events are missing, and it was not told")
    else
      last = data.seq
    end
  end
  is(last + gap, 20000, "so many are missing")
end)

tap.test("a client may stop reading a followed log for as long as it likes",
  function()
    local test <close> = controls.open({ web = { command = { shell =
      "echo first; exec yes 0123456789012345678901234567890" } } },
      { limits = { stall = 0.05 } })
    test.sup:start "web"
    local body <close> = follow(test, "/v1/services/web/logs?follow=1&n=1000")
    body:readline()
    tap.eventually(function() -- much more than all buffers hold
      return test.sup:find "web"[1].log:stats().bytes > 20 << 20
    end, 30)
    local count = 0
    while count < 50000 and body:readline() do count = count + 1 end
    is(count, 50000, "it goes on with as many lines as there are")
  end)

tap.test("a hundred followers hear all", function()
  local test <close> = controls.open()
  do
    local counts, nursery = {}, nil
    task.nursery(function(n)
      nursery = n
      for i = 1, 100 do
        counts[i] = 0
        n:spawn(function()
          local socket <close> = follow(test, "/v1/events")
          for _ = 1, 200 do
            next_event(socket)
            counts[i] = counts[i] + 1
          end
        end)
      end
      tap.eventually(function()
        return test.control:connections() == 100
      end, 20)
      test.client:list()
      for i = 1, 200 do test.sup.events:emit("status", { n = i }) end
    end)
    ok(nursery, "all have ended")
    for i = 1, 100 do
      if counts[i] ~= 200 then is(counts[i], 200, "follower " .. i) end
    end
  end
  is_left(test)
end)

tap.done()
