-- map: a command for each item, a number of them at once.

local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function echo(item) return { "echo", item } end

local function outputs(results)
  local list = {}
  for i, r in ipairs(results) do list[i] = r.stdout:gsub("\n", "") end
  return table.concat(list, " ")
end

-- Echoes the items; the first one's command ends after those of all others.
local function map_first_last(items, opts)
  local name = os.tmpname()
  function opts.progress(done)
    if done < #items - 1 then return end
    local f <close> = io.open(name, "w")
    f:write "others are done"
  end
  opts.jobs = #items
  local results = process.map(items, function(item, index)
    local wait = "until test -s " .. name .. "; do sleep 0.01; done; "
    return { shell = (index == 1 and wait or "") .. "echo " .. item }
  end, opts)
  os.remove(name)
  return outputs(results)
end

tap.test("results stand as the items do", function()
  tap.is(map_first_last({ "a", "b", "c" }, {}), "a b c")
  tap.is(map_first_last({ "a", "b", "c" }, { keep_order = true }), "a b c")
end)

tap.test("or as they come", function()
  local came = map_first_last({ "a", "b", "c" }, { keep_order = false })
  tap.ok(came == "b c a" or came == "c b a", came)
end)

tap.test("an empty list has no results", function()
  tap.is_deeply(process.map({}, echo), {})
end)

tap.test("fn is given item and index, and no more run than jobs", function()
  local running, most, seen = 0, 0, {}
  local function command(item, index)
    seen[index] = item
    running = running + 1
    most = math.max(most, running)
    return { "sleep", "0.01" }
  end
  process.map({ "a", "b", "c", "d", "e", "f", "g" }, command, {
    jobs = 2,
    progress = function() running = running - 1 end,
  })
  tap.is(table.concat(seen), "abcdefg")
  tap.is(most, 2)
end)

tap.test("progress hears of each item that is done", function()
  local calls = {}
  process.map({ 1, 2, 3 }, function(item)
    return { "sh", "-c", "exit " .. item, check = false }
  end, { jobs = 1, progress = function(done, total, item, result)
    calls[#calls + 1] = { done, total, item, result.code }
  end })
  tap.is_deeply(calls, { { 1, 3, 1, 1 }, { 2, 3, 2, 2 }, { 3, 3, 3, 3 } })
end)

tap.test("the first error ends all", function()
  local started = 0
  local _, err = tap.throws(function()
    process.map({ 0, 5, 0, 0, 0 }, function(code)
      started = started + 1
      return { shell = code == 0 and "sleep 600" or "exit " .. code }
    end, { jobs = 2 })
  end, "ExitError")
  tap.is(err.status.code, 5)
  tap.is(started, 2, "the others were not begun")
end)

tap.test("without fail_fast an error stands in its item's place", function()
  local results = process.map({ 0, 5, 0, 6 }, function(code)
    return { "sh", "-c", "echo out; exit " .. code }
  end, { fail_fast = false, jobs = 2 })
  tap.is(#results, 4)
  tap.is(results[1].ok, true)
  tap.is(results[3].ok, true)
  tap.ok(results[2]:is "ExitError")
  tap.is(results[2].status.code, 5)
  tap.is(results[4].stdout, "out\n")
end)

tap.test("an error of fn is one, too", function()
  local function wrong() error "no command" end
  tap.throws(function() process.map({ 1 }, wrong) end, "no command")
  local results = process.map({ 1 }, wrong, { fail_fast = false })
  tap.like(results[1], "no command")
end)

tap.test("a cancel ends all, also without fail_fast", function()
  local ok = task.move_on(0.05, process.map, { 1, 2, 3 }, function()
    return { "sleep", "600" }
  end, { fail_fast = false, jobs = 3 })
  tap.is(ok, false)
end)

tap.test("what fails is tried again as retry says", function()
  local tries = 0
  local function flaky()
    tries = tries + 1
    return { "sh", "-c", "exit 1" }
  end
  local name = os.tmpname()
  local results = process.map({ name }, function(file)
    return { "sh", "-c", "echo x >> $0; test $(wc -l < $0) -ge 3", file }
  end, { retry = { times = 5, delay = 0 } })
  tap.is(results[1].ok, true)
  local f <close> = io.open(name)
  tap.is(f:read "a", "x\nx\nx\n")
  os.remove(name)
  tap.throws(function()
    process.map({ 1 }, flaky, { retry = { times = 2, delay = 0 } })
  end, "ExitError")
  tap.is(tries, 1, "the command is tried again, fn is asked once")
end)

tap.test("wrong use is refused", function()
  tap.throws(function() process.map("x", echo) end, "UsageError")
  tap.throws(function() process.map({}, {}) end, "UsageError")
  tap.throws(function() process.map({}, echo, { job = 1 }) end,
    "did you mean \"jobs\"")
  tap.throws(function() process.map({}, echo, { jobs = 0 }) end, "UsageError")
end)

tap.done()
