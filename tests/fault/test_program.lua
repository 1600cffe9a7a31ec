-- A program whose calls fail while it starts, writes and ends: it does what it
-- should, or says in a line why not, and its exit code says so, too.

local fault = require "luvisor.fault"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local FAULTY <const> = assert(os.getenv "LUVISOR") .. "-fault"
local ALL <const> = 1100 -- calls of one kind, of which each one fails

-- Calls do(errno, n) for each way in which a site can fail, until it says that
-- there was no n-th call. Two at a time.
local function each_fault(sites, try)
  local todo = {}
  for _, site in ipairs(sites) do
    for _, kind in ipairs { "survived", "raised", "either" } do
      for _, errno in ipairs(site[kind]) do
        todo[#todo + 1] = { site = site.name, errno = errno, kind = kind }
      end
    end
  end
  task.map(todo, function(case)
    local n = 1
    while try(case, n) do n = n < ALL and n + 1 or n + n // 8 end
  end, { jobs = 2 })
end

-- All but those of which it needs too many to be told: a few.
local function sites_but(unwanted)
  local sites = {}
  for _, site in ipairs(fault.sites()) do
    if not unwanted[site.name] then sites[#sites + 1] = site end
  end
  return sites
end

-- Runs a script; what it is, as an ending that is right: the output that was
-- meant, or a word of complaint and exit code 1.
local function ending(script, opts)
  local r = process.run {
    FAULTY, "-e", script, env = opts and opts.env, check = false,
    timeout = 20,
  }
  if r.signal then return "died of " .. r.signal end
  local complains = r.stderr:find "luvisor: " ~= nil
  if r.code == 1 and complains then return "complained", r end
  if r.code == 0 and r.stderr == "" then return "went well", r end
  return ("exit code %d, stderr %q"):format(r.code, r.stderr), r
end

local START <const> = [[
  local calls, failed = require "luvisor.fault".disarm()
  io.stdout:write(failed, "\n")
]]

tap.test("its start", function()
  local problems, tried = {}, 0
  each_fault(sites_but {}, function(case, n)
    local spec = ("%s:%d:%d"):format(case.site, n,
      fault.errno(case.site, case.errno))
    local how, r = ending(START, { env = { LUVISOR_FAULT = spec } })
    local reached = r == nil or r.code ~= 0 or r.stdout ~= "0\n"
    local fine = how == "complained" and case.kind ~= "survived"
      or how == "went well" and case.kind ~= "raised"
      or not reached
    if not fine then
      problems[#problems + 1] = ("%s %d: %s"):format(case.site, n, how)
    end
    if reached then tried = tried + 1 end
    return reached and #problems < 10
  end)
  tap.is(table.concat(problems, "\n"), "", tried .. " faults")
  tap.ok(tried > 100, "some are reached")
end)

local WRITE <const> = [[
  local fault, stream = require "luvisor.fault", require "luvisor.stream"
  stream.stdout:write ""
  fault.arm(%q, %d, %q)
  assert(io.write "a")
  print "b"
  stream.stdout:write "c\n"
]]

tap.test("its output and its end", function()
  local problems, complaints = {}, 0
  each_fault(sites_but { lua_alloc = true }, function(case, n)
    local how, r = ending(WRITE:format(case.site, n, case.errno))
    local right = how == "complained"
      or how == "went well" and r.stdout == "ab\nc\n"
    if not right then
      problems[#problems + 1] = ("%s %s of call %d: %s, %s"):format(case.site,
        case.errno, n, how, r and r.stdout)
    end
    if how == "complained" then complaints = complaints + 1 end
    return how == "complained" and n < 5
  end)
  tap.is(table.concat(problems, "\n"), "")
  tap.ok(complaints > 5, "some are told of")
end)

local LEAVE <const> = [[
  local fault = require "luvisor.fault"
  local process = require "luvisor.process"
  p = process.spawn { "/bin/sleep", "600", stop = { grace = 0.02 } }
  io.write(p.pid)
  fault.arm("lua_alloc", %d, "ENOMEM", %d)
]]

local function is_alive(pid)
  local f <close> = io.open(("/proc/%s/stat"):format(pid))
  local state = f and f:read("a"):match "%) (%a)"
  return state and state ~= "Z" and state ~= "X"
end

tap.test("its end without memory: no child outlives it", function()
  local problems, alive = {}, {}
  for _, times in ipairs { 1, 1000000 } do
    for n = 1, 80 do
      local how, r = ending(LEAVE:format(n, times))
      local pid = r and r.stdout:match "^%d+$"
      if not pid or how ~= "went well" and how ~= "complained" then
        problems[#problems + 1] = ("call %d of %d: %s"):format(n, times, how)
      end
      alive[#alive + 1] = pid
    end
  end
  tap.is(table.concat(problems, "\n"), "")
  tap.eventually(function() -- a killed one is dead soon
    while alive[1] and not is_alive(alive[#alive]) do alive[#alive] = nil end
    return #alive == 0
  end, "all are dead")
end)

tap.done()
