local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"

tap.test("now never steps back, wall is the time of day", function()
  local last = time.now()
  for _ = 1, 1000 do
    local now = time.now()
    if now < last then tap.ok(false, "a step back") end
    last = now
  end
  tap.ok(math.abs(time.wall() - os.time()) < 2)
  tap.is(math.type(time.wall()), "float")
end)

tap.test("sleep is never for less", function()
  for _, seconds in ipairs { 0, 1e-9, 0.0004, 0.0012, 0.01 } do
    local start = time.now()
    time.sleep(seconds)
    tap.ok(time.now() - start >= seconds)
  end
end)

tap.test("sleep refuses what is no time", function()
  for _, wrong in ipairs { -1, "1", 0 / 0, {}, false } do
    tap.throws(function() time.sleep(wrong) end, "UsageError")
  end
  tap.throws(function() time.sleep() end, "sleep must be a number of seconds")
end)

tap.test("sleep for ever may be cancelled", function()
  tap.is(task.move_on(0.001, time.sleep, math.huge), false)
  tap.is(task.move_on(0.001, time.sleep, 1e300), false)
end)

tap.test("sleepers wake in the order of their times", function()
  local order = {}
  task.nursery(function(n)
    for _, ms in ipairs { 30, 10, 20, 0, 40 } do
      n:spawn(function()
        time.sleep(ms / 1000)
        order[#order + 1] = ms
      end)
    end
  end)
  tap.is_deeply(order, { 0, 10, 20, 30, 40 })
end)

tap.test("sleep lets other tasks run", function()
  local ran = false
  task.spawn(function() ran = true end)
  time.sleep(0)
  tap.is(ran, true)
end)

tap.test("a sleep of 0 is a turn of the others, and waits for no clock",
  function()
    local order = {}
    task.nursery(function(n)
      n:spawn(function()
        time.sleep(10)
        order[#order + 1] = "ten seconds"
      end)
      for _ = 1, 20000 do time.sleep(0) end
      order[#order + 1] = "20000 times nothing"
      n:cancel()
    end)
    tap.is_deeply(order, { "20000 times nothing" })
  end)

tap.test("a sleep of 0 is a cancellation point", function()
  local t = task.spawn(function()
    while true do time.sleep(0) end
  end)
  task.checkpoint()
  t:cancel()
  pcall(t.join, t)
  tap.is(t.state, "cancelled")
end)

tap.test("sleepers may be cancelled in any order", function()
  task.nursery(function(n)
    local sleepers = {}
    for i = 1, 100 do
      sleepers[i] = n:spawn(time.sleep, 60 + (i * 37) % 100)
    end
    task.checkpoint()
    for i = 1, 100 do sleepers[(i * 63) % 100 + 1]:cancel() end
    task.checkpoint()
    for i = 1, 100 do
      if sleepers[i].state ~= "cancelled" then tap.is(sleepers[i].state, i) end
    end
  end)
  tap.ok(true)
end)

tap.test("every counts its beats, and does not drift", function()
  local period, start, last = 0.005, time.now(), 0
  for beat in time.every(period) do
    tap.ok(beat > last, "it only goes up")
    last = beat
    tap.ok(time.now() - start >= beat * period, "never early")
    if beat >= 5 then break end
  end
  -- However late each turn was, the next beat is counted from the start.
  local late = time.now() - start - last * period
  tap.ok(late >= 0 and late < 60)
end)

tap.test("every leaves out the beats that were missed", function()
  local period, start = 0.002, time.now()
  local beats = time.every(period)
  tap.is(beats(), 1)
  local stop = time.now() + 5 * period
  while time.now() < stop do end -- a turn that takes five beats
  local elapsed = (time.now() - start) / period
  local beat = beats()
  tap.ok(beat >= math.floor(elapsed), "not the second")
  tap.is(math.type(beat), "integer")
end)

tap.test("every refuses a period that is none", function()
  for _, wrong in ipairs { 0, -1, "1", 0 / 0, {}, math.huge } do
    tap.throws(function() time.every(wrong) end, "UsageError")
  end
  tap.throws(function() time.every() end, "UsageError")
end)

tap.test("every may be cancelled and called from a nursery's task", function()
  local beats = 0
  tap.is(task.move_on(0.02, function()
    for _ in time.every(0.001) do beats = beats + 1 end
  end), false)
  tap.ok(beats > 0)
end)

tap.done()
