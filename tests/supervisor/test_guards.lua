-- slow
-- Several luvisors side by side and one after the other; other users.
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local tree = require "luvisor.core.proctree"
local SUPPORT = os.getenv "LUVISOR_SOURCE" .. "/tests/support/"
local guarded = dofile(SUPPORT .. "guarded.lua")
local children = dofile(SUPPORT .. "children.lua")

local is, ok = tap.is, tap.ok
local services, start = guarded.services, guarded.start
local gone, there, said = guarded.gone, guarded.there, guarded.said
local kill = guarded.kill
local FAMILY <const>, COUNT <const> = guarded.FAMILY, guarded.COUNT

local TWO <const> = "{ a = { command = { shell = "
  .. "'setsid sleep MARK & exec sleep MARK' } } }"

-- Both, so that neither can replace or avenge the other.
local function kill_both(p, guard)
  p:send_signal "STOP"
  signal.send(guard, "KILL")
  kill(p)
end

services.both_ways(function(how)
  tap.test("the end of one luvisor is not felt by others, " .. how, function()
    local all = {}
    for i = 1, 4 do
      local mark = services.mark()
      local p, guard = start(how, FAMILY, mark)
      all[i] = { p = p, guard = guard, mark = mark }
    end
    for _, one in ipairs(all) do there(one.mark, COUNT) end
    kill(all[1].p)
    gone(all[1].mark)
    tap.eventually(function() return guarded.is_dead(all[1].guard) end, 30)
    all[2].p:terminate()
    all[2].p:wait()
    is(#services.alive(all[2].mark), 0)
    for i = 3, 4 do
      ok(#services.alive(all[i].mark) >= COUNT)
      is(tree.stat(all[i].guard).name, "lv-guard")
      kill(all[i].p)
      gone(all[i].mark)
    end
    said()
  end)

  tap.test("nor a process that only looks like one, " .. how, function()
    local mark = services.mark()
    local p = start(how, TWO, mark)
    there(mark, 2)
    local other <close> = process.spawn { "sleep", mark, session = true,
      env = { LUVISOR_RUN = "0123", LUVISOR_MARK = "0123:a:1",
              LUVISOR_SERVICE = "a" } }
    tap.eventually(function() return services.alive(mark, "sleep")[3] end, 30,
      "all three have their arguments")
    kill(p)
    tap.eventually(function() return #services.alive(mark) == 1 end, 30)
    is(services.alive(mark)[1].pid, other.pid)
    other:kill()
    other:wait()
    said()
  end)

  tap.test("a service of another user ends with it, " .. how, function()
    children.need_root()
    local mark = services.mark()
    local p = start(how, [[{ a = { user = "nobody", cwd = "/", log = {
      target = "null" }, command = { shell = "setsid sleep MARK & "
      .. "env -i sleep MARK & exec sleep MARK" } } }]], mark)
    there(mark, 3)
    local stranger <close> = process.spawn { "sleep", mark, session = true,
      user = "nobody", cwd = "/" }
    there(mark, 4)
    kill(p)
    tap.eventually(function() return #services.alive(mark) == 1 end, 30)
    is(services.alive(mark)[1].pid, stranger.pid, "and nothing else of his")
    stranger:kill()
    stranger:wait()
    said()
  end)

  tap.test("a guard that is killed again and again, " .. how, function()
    local mark = services.mark()
    local p, guard = start(how, TWO, mark)
    there(mark, 2)
    for _ = 1, 3 do
      signal.send(guard, "KILL")
      guard = tap.eventually(function()
        local now = guarded.guards_of(p)
        return now[1] ~= guard and now[1]
      end, 30)
    end
    kill(p)
    gone(mark)
    ok(select(2, said():gsub("is replaced", "")) >= 3)
  end)
end)

tap.test("who survived is left alone by the next luvisor, which names them",
  function()
    guarded.in_cgroup(function(cgroup)
      local mark = services.mark()
      local text = [[{ a = { on_supervisor_death = "survive", command = {
        shell = "setsid sleep MARK & exec sleep MARK" } } }]]
      local p, guard = start("", text, mark, { cgroup = cgroup })
      there(mark, 2)
      kill(p)
      tap.eventually(function() return guarded.is_dead(guard) end, 30)
      local again = start("", text, mark, { cgroup = cgroup })
      there(mark, 4)
      again:terminate()
      again:wait()
      local left = services.alive(mark)
      is(#left, 2)
      for _, one in ipairs(left) do signal.send(one.pid, "KILL") end
      gone(mark)
      tap.like(said(), "survived an earlier luvisor runs on.*sleep")
    end)
  end)

tap.test("killed together with its guard: the next luvisor in this cgroup "
  .. "ends what is left", function()
  guarded.in_cgroup(function(cgroup)
    local mark = services.mark()
    local p, guard = start("", FAMILY, mark, { cgroup = cgroup })
    there(mark, COUNT)
    kill_both(p, guard)
    ok(#services.alive(mark) > 0)
    ok(not guarded.no_cgroup_of(p.pid, cgroup))
    local again = start("", "{}", nil, { cgroup = cgroup })
    gone(mark)
    tap.eventually(function()
      return guarded.no_cgroup_of(p.pid, cgroup)
    end, 30)
    again:terminate()
    again:wait()
    tap.like(said(), "killed what a luvisor that was killed has left")
  end)
end)

tap.test("but not what a luvisor that lives has made, or its guard is "
  .. "cleaning up", function()
  guarded.in_cgroup(function(cgroup)
    local mark = services.mark()
    local p, guard = start("", TWO, mark, { cgroup = cgroup })
    there(mark, 2)
    signal.send(guard, "STOP")
    kill(p)
    local function is_one_left() return #services.alive(mark) == 1 end
    tap.eventually(is_one_left, 30, "the leader dies by itself")
    local again = start("", "{}", nil, { cgroup = cgroup })
    again:terminate()
    again:wait()
    ok(is_one_left(), "the guard has the lock, asleep as it is")
    signal.send(guard, "CONT")
    gone(mark)
    tap.eventually(function() return guarded.is_dead(guard) end, 30)
    said()
  end)
end)

tap.test("a cgroup that cannot be entered is not used", function()
  guarded.in_cgroup(function(dir)
    ok(tree.cgroup_can_enter(dir))
    ok(tree.cgroup_make(dir .. "/threads"))
    ok(tree.cgroup_make(dir .. "/beside"))
    local kind <close> = assert(io.open(dir .. "/threads/cgroup.type", "w"))
    ok(kind:write "threaded" and kind:flush())
    ok(not tree.cgroup_can_enter(dir .. "/beside"), "its parent is for threads")
  end)
end)

tap.test("a lock of a cgroup is one", function()
  guarded.in_cgroup(function(dir)
    local lock <const> = tree.cgroup_lock(dir)
    is(tree.cgroup_lock(dir), nil, "one at a time")
    lock:close()
    local again <const> = tree.cgroup_lock(dir)
    ok(again)
    again:close()
    is(tree.cgroup_lock(dir .. "/none"), nil)
  end)
end)

tap.done()
