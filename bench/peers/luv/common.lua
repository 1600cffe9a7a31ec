-- peers/luv/common.lua — What the programs for luv share: the size, the clock,
-- children, the report. They are written as luv's documentation does, with
-- callbacks; those with tasks have a coroutine for each.

local uv = require "luv"

local M = { uv = uv }

function M.now() return uv.hrtime() / 1e9 end

function M.size(usual)
  return math.tointeger(tonumber(arg[1])) or usual
end

--- Start a child and call done when it has ended, which must be a success.
-- Its stdin is /dev/null, as libuv makes it.
function M.spawn(path, args, stdout, done)
  local handle, err
  handle, err = uv.spawn(path, { args = args, stdio = { nil, stdout or 1, 2 } },
    function(code, signal)
      assert(code == 0 and signal == 0)
      handle:close()
      done()
    end)
  return assert(handle, err)
end

function M.report(bench, n, seconds, more)
  print(('{"bench": "%s", "impl": "luv", "n": %d, "seconds": %.6f, '
    .. '"us_per_op": %.3f%s}'):format(bench, n, seconds, seconds / n * 1e6,
    more or ""))
end

return M
