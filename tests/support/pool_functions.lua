--- What the tests of luvisor.pool call in workers. Functions with a path write
-- a pid there, if they are given one, when they have begun: their own, or that
-- of a child.

local lv = require "luvisor"
local M = {}

function M.pid()
  local file <close> = io.open "/proc/self/stat"
  return math.tointeger(file:read "n")
end

local function tell(path, pid)
  if not path then return end
  local file = io.open(path .. "~", "w")
  file:write(pid)
  file:close()
  os.rename(path .. "~", path)
end

function M.echo(...)
  return ...
end

function M.wait(path)
  tell(path, M.pid())
  lv.task.sleep(600)
end

function M.spin(path)
  tell(path, M.pid())
  while true do end
end

function M.child(path)
  local p <close> = lv.process.spawn { "sleep", "600" }
  tell(path, p.pid)
  p:wait()
end

function M.spin_with_child(path)
  local p <close> = lv.process.spawn { "sleep", "600" }
  tell(path, p.pid)
  while true do end
end

function M.stop(path)
  tell(path, M.pid())
  lv.signal.send(M.pid(), "STOP")
  lv.task.sleep(600)
end

function M.exit(code)
  os.exit(code)
end

function M.die(sig)
  lv.signal.send(M.pid(), sig)
  lv.task.sleep(600)
end

function M.leave_grandchild(path)
  os.execute("sleep 600 & echo $! > " .. path .. "~; mv " .. path .. "~ "
    .. path)
  lv.signal.send(M.pid(), "KILL")
  lv.task.sleep(600)
end

return M
