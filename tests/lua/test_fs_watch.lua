-- Watching: what happens is told, in order, and nothing is lost in silence.

local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local TMP <const> = os.getenv "TMPDIR" or "/tmp"

-- A test in a folder of its own, which is removed.
local function test(name, fn)
  tap.test(name, function()
    local dir = fs.mkdtemp { dir = TMP, prefix = "fs-" }
    local _ <close> = setmetatable({}, { __close = function()
      process.run { "rm", "-rf", dir }
    end })
    fn(dir)
  end)
end

-- The events until one of this name, as "type name type name …".
local function events_until(watch, name)
  local seen = {}
  for event in watch do
    if event.name == name then break end
    seen[#seen + 1] = event.type .. " " .. (event.name or "-")
  end
  return table.concat(seen, ", ")
end

test("what happens in a folder is told in order", function(dir)
  local watch <close> = fs.watch(dir)
  fs.write_file(dir .. "/f", "x")
  fs.chmod(dir .. "/f", "600")
  fs.mkdir(dir .. "/d")
  fs.remove(dir .. "/f")
  fs.write_file(dir .. "/end", "")
  tap.is(events_until(watch, "end"), "created f, modified f, written f, "
    .. "attributes f, created d, deleted f")
end)

test("an event has path, name and is_dir", function(dir)
  local watch <close> = fs.watch(dir)
  fs.mkdir(dir .. "/d")
  tap.is_deeply(watch:next(), {
    type = "created", path = dir .. "/d", name = "d", is_dir = true,
  })
  fs.symlink("d", dir .. "/l")
  tap.is(watch:next().is_dir, false)
end)

test("both halves of a move have the same cookie", function(dir)
  fs.write_file(dir .. "/a", "")
  fs.mkdir(dir .. "/other")
  local watch <close> = fs.watch(dir)
  fs.rename(dir .. "/a", dir .. "/b")
  local from, to = watch:next(), watch:next()
  tap.is(from.type .. to.type, "moved_frommoved_to")
  tap.is(from.name .. to.name, "ab")
  tap.ok(from.cookie and from.cookie == to.cookie)
  fs.rename(dir .. "/b", dir .. "/other/b")
  tap.is(watch:next().type, "moved_from", "and nothing comes after it")
  tap.is(task.move_on(0.01, watch.next, watch), false)
end)

test("an atomic write is seen as a move onto the file", function(dir)
  fs.write_file(dir .. "/f", "old")
  local watch <close> = fs.watch(dir, { events = { "moved_to" } })
  fs.write_file(dir .. "/f", "new", { atomic = true })
  tap.is(watch:next().name, "f")
end)

test("only the events that matter are told", function(dir)
  local watch <close> = fs.watch(dir, { events = { "deleted", "moved_to" } })
  fs.write_file(dir .. "/a", "x")
  fs.rename(dir .. "/a", dir .. "/b")
  fs.remove(dir .. "/b")
  fs.write_file(dir .. "/c", "x")
  fs.rename(dir .. "/c", dir .. "/end")
  tap.is(events_until(watch, "end"), "moved_to b, deleted b")
end)

test("a file is watched until it is gone", function(dir)
  local path = dir .. "/f"
  fs.write_file(path, "x")
  local watch <close> = fs.watch(path)
  fs.write_file(path, "yy", { append = true })
  fs.rename(path, dir .. "/g")
  fs.remove(dir .. "/g")
  local seen = {}
  for event in watch do
    seen[#seen + 1] = event.type
    tap.is(event.path, path)
    tap.is(event.name, nil)
  end
  tap.is(table.concat(seen, " "), "modified written moved attributes gone")
  tap.is(watch:next(), nil, "nothing comes any more")
end)

test("a folder that goes ends the loop", function(dir)
  fs.mkdir(dir .. "/d")
  local watch <close> = fs.watch(dir .. "/d")
  fs.write_file(dir .. "/d/f", "")
  fs.remove(dir .. "/d", { r = true })
  local last
  for event in watch do last = event.type end
  tap.is(last, "gone")
end)

test("next waits until something happens", function(dir)
  local watch <close> = fs.watch(dir)
  local waiting = task.spawn(watch.next, watch)
  tap.eventually(function() return waiting.state == "waiting" end)
  tap.throws(function() watch:next() end, "Busy")
  process.run { "touch", dir .. "/f" }
  tap.is(waiting:join().name, "f")
end)

test("a cancelled next loses nothing", function(dir)
  local watch <close> = fs.watch(dir, { events = { "created" } })
  for i = 1, 10 do
    local waiting = task.spawn(watch.next, watch)
    tap.eventually(function() return waiting.state == "waiting" end)
    process.run { "touch", dir .. "/" .. i }
    for _ = 1, i % 3 do task.checkpoint() end
    waiting:cancel()
    local ok, event = pcall(waiting.join, waiting)
    if not ok then event = watch:next() end
    tap.is(event.name, tostring(i))
  end
end)

test("closing wakes who waits", function(dir)
  local watch = fs.watch(dir)
  tap.is(tostring(watch), ("watch (%s)"):format(dir))
  local waiting = task.spawn(watch.next, watch)
  tap.eventually(function() return waiting.state == "waiting" end)
  watch:close()
  watch:close()
  tap.is(waiting:join(), nil)
  tap.is(watch:next(), nil)
  tap.like(tostring(watch), "closed")
end)

test("many events come, each of them", function(dir)
  local watch <close> = fs.watch(dir, { events = { "created" } })
  process.run { shell = "seq 1 3000 | xargs touch", cwd = dir }
  local seen, count = {}, 0
  while count < 3000 do
    local event = watch:next()
    if not seen[event.name] then count = count + 1 end
    seen[event.name] = true
  end
  tap.is(count, 3000)
end)

local function most_queued()
  return tonumber(fs.read_file "/proc/sys/fs/inotify/max_queued_events")
end

test("what the kernel could not keep is told as an overflow", function(dir)
  local most = most_queued()
  if most > 20000 then tap.skip("the queue holds " .. most) end
  fs.write_file(dir .. "/f", "")
  fs.write_file(dir .. "/g", "")
  local watch <close> = fs.watch(dir, { events = { "attributes" } })
  process.run { "python3", "-c", [[
import os, sys
for i in range(int(sys.argv[1])):
    os.chmod("fg"[i % 2], 0o600)]], most + 100, cwd = dir }
  local count, overflow = 0, nil
  for event in watch do
    if event.type == "overflow" then
      overflow = event
      break
    end
    count = count + 1
  end
  tap.is(count, most)
  tap.is(overflow.path, dir)
  fs.chmod(dir .. "/f", "644")
  tap.is(watch:next().type, "attributes", "and it goes on")
end)

test("what is not there cannot be watched", function(dir)
  local _, err = tap.throws(function() fs.watch(dir .. "/no") end, "ENOENT")
  tap.is(err.op, "watch")
  tap.is(err.subject, dir .. "/no")
end)

tap.done()
