-- Luvisor's own log: one write a line, text or JSON.
local journal = require "luvisor.supervisor.journal"
local json = require "luvisor.json"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local is, is_deeply, like = tap.is, tap.is_deeply, tap.like

local TIME <const> = "%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ"

-- One that writes to a list.
local function recorder(settings)
  local lines = {}
  settings.level = settings.level or "info"
  return journal.new(settings, function(line)
    lines[#lines + 1] = line
  end), lines
end

tap.test("a line has time, level, service, message, and the rest by name",
  function()
    local log, lines = recorder {}
    log:info("started", { service = "web", pid = 12, after = 0.5 })
    log:warning "no service"
    like(lines[1], "^" .. TIME .. " info web started after=0.5 pid=12\n$")
    like(lines[2], "^" .. TIME .. " warning %- no service\n$")
    is(#lines, 2)
  end)

tap.test("nothing in a value can look like another line or field", function()
  local log, lines = recorder {}
  log:info("two\nlines", { service = "web", a = "b c=d", e = 'say "x"\\',
                           f = "one\ntwo\27[0m", g = "" })
  like(lines[1], "info web two\\nlines a=\"b c=d\" e=\"say \\\"x\\\"\\\\\" "
    .. "f=\"one\\ntwo\\x1b%[0m\" g=\"\"\n$")
  is(select(2, lines[1]:gsub("\n", "")), 1, "one line")
end)

tap.test("neither in a message nor in a service's name", function()
  local log, lines = recorder {}
  log:info("a\r\27[2Jb", { service = "w\neb" })
  is(lines[1]:find "[%c]", #lines[1], "no byte but the last controls anything")
end)

tap.test("what is below the level is not written", function()
  local log, lines = recorder { level = "warning" }
  log:debug "x"
  log:info "x"
  log:warning "y"
  log:error "z"
  is(#lines, 2)
end)

tap.test("or it is JSON", function()
  local log, lines = recorder { format = "json" }
  log:error("no\ngood", { service = "web", code = 3 })
  is(select(2, lines[1]:gsub("\n", "")), 1, "on one line")
  local record = json.decode(lines[1])
  like(record.time, "^" .. TIME .. "$")
  record.time = nil
  is_deeply(record, { level = "error", service = "web", message = "no\ngood",
                      code = 3 })
end)

tap.test("fields do not take the place of what each line has", function()
  local log, lines = recorder { format = "json" }
  log:info("m", { level = "x", message = "y", time = "z" })
  local record = json.decode(lines[1])
  is(record.level, "info")
  is(record.message, "m")
  like(record.time, TIME)
end)

tap.test("lines that nobody takes are counted", function()
  local lines, full = {}, true
  local log = journal.new({ level = "info" }, function(line)
    if full then return false end
    lines[#lines + 1] = line
  end)
  for _ = 1, 5 do log:info "x" end
  full = false
  log:info "y"
  like(lines[1], "warning %- lines of this log were lost lines=5\n$")
  like(lines[2], "info %- y\n$")
  is(#lines, 2)
end)

tap.test("each line is one write to stderr, and who does not read waits not",
  function()
    local code = [[
      local journal = require "luvisor.supervisor.journal"
      local log = journal.new { level = "info" }
      for i = 1, 50000 do log:info("line", { i = i, x = ("x"):rep(50) }) end
      io.stdout:write "done"
      io.stdout:flush()
    ]]
    local p <close> = process.spawn {
      os.getenv "LUVISOR", "-e", code, stdout = "pipe", stderr = "pipe",
    }
    is(p.stdout:read(4), "done", "though nobody has read")
    local lines = 0
    for line in p.stderr:lines() do
      if not line:find("info - line i=" .. lines + 1, 1, true) then break end
      lines = lines + 1
    end
    tap.ok(lines > 1000, "what there was room for comes, in order")
    p:wait()
  end)

tap.done()
