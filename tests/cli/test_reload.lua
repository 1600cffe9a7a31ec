-- luvisor reload and signal.
local fs = require "luvisor.fs"
local tap = require "luvisor.tap"

local is, like = tap.is, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local ups = dofile(SOURCE .. "/tests/support/up.lua")

local up = ups.start [[
  service "reader" { command = { shell =
    "trap 'echo hup >> hups' HUP; echo > reads; while :; do sleep 0.02; done" },
    ready = { command = "test -e reads" } }
  service "asker" { command = "sleep 1000", reload = { command = { shell =
    "test -e may || { echo not now >&2; exit 4; }" } } }
  service "slow" { command = "sleep 1000", autostart = false }
]]

tap.test("reload sends HUP, or runs a command and says how that failed",
  function()
    up:until_so("reader", function(one) return one.ready end)
    up:luvisor "reload reader"
    tap.eventually(function() return #up:lines "hups" == 1 end)
    local r = up:luvisor("reload asker", 1)
    like(r.stderr, "^luvisor: asker: reload: [^\n]*exited 4")
    like(r.stderr, "not now")
    fs.write_file(up.dir .. "/may", "")
    like(up:luvisor("reload asker").stdout, "^asker is running")
    up:refuses("reload slow", 1, "slow: cannot reload a service that is stop")
  end)

tap.test("signal goes to the main process", function()
  local pid = up:status("reader").pid
  is(up:luvisor("signal HUP reader").stdout,
    ("HUP was sent to reader (pid %d)\n"):format(pid))
  tap.eventually(function() return #up:lines "hups" == 2 end)
  for _, name in ipairs { "sighup", "1" } do
    like(up:luvisor("signal " .. name .. " reader").stdout, "^HUP was sent")
  end
  up:refuses("signal HUP slow", 1, "slow is stopped: there is no process")
  up:refuses("signal TREM reader", 2,
    "there is no signal 'TREM'%. Did you mean 'TERM'%?")
  up:refuses("signal HUP", 2, "which services%? Say their names, or %-%-all")
  up:refuses("signal HUP raeder", 4, 'no service "raeder", did you mean "rea')
end)

up:stop()
up:close()
tap.done()
