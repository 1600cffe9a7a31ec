--- Watching: what happens in a folder, as an iterator.
-- @module luvisor.fs

local check = require "luvisor.fs.check"
local core = require "luvisor.core.fs"
local errors = require "luvisor.error"

local M = {}

local function check_events(value)
  if type(value) ~= "table" or #value == 0 then return false, "a list" end
  local names = {}
  for name in pairs(core.events) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(value) do
    if not core.events[name] then
      local near = errors.nearest(tostring(name), names)
      return false, ("a list of %s%s"):format(table.concat(names, ", "),
        near and ("; did you mean %q?"):format(near) or "")
    end
  end
  return true
end

local watch_spec = { events = check_events }

--- Watch what happens in a folder (not in those below it), or to a file. A file
-- that is replaced is another one: to see that, watch its folder.
--
-- An event is a table with `type`, `path`, and for what happened inside a
-- folder `name` and `is_dir`. Types: "created", "modified" (for each write),
-- "written" (it was closed by who wrote), "attributes", "deleted",
-- "moved_from" and "moved_to" (of one move they have the same `cookie`);
-- of the path itself "moved" and "gone", after which nothing comes; and
-- "overflow": more happened than the kernel keeps, so look at everything anew.
-- @tparam string path
-- @tparam[opt] table opts `events`: a list of the types that matter; default
-- all. "overflow" always comes
-- @treturn Watch
-- @raise OSError: ENOSPC: fs.inotify.max_user_watches
-- @usage
-- local dir = fs.mkdtemp()
-- local watch <close> = fs.watch(dir, { events = { "written" } })
-- fs.write_file(dir .. "/file", "contents")
-- print(watch:next().name) --> file
-- fs.remove(dir, { recursive = true })
function M.watch(path, opts)
  check.path("watch", path)
  opts = errors.check_options("watch", opts, watch_spec)
  local mask = 0
  for name, bit in pairs(core.events) do
    if not opts.events then mask = mask | bit end
    for _, wanted in ipairs(opts.events or {}) do
      if name == wanted then mask = mask | bit end
    end
  end
  return core.watch(path, nil, nil, mask)
end

--- What happens to a path, as an iterator.
-- @type Watch

--- Wait for the next event. Calling the watch is the same: `for event in watch
-- do`. Those that come while nobody waits are kept by the kernel, up to
-- fs.inotify.max_queued_events.
-- @function Watch:next
-- @treturn ?table the event; nil: the watch is closed, or what it watched gone
-- @raise Busy: another task waits

--- Stop watching; who waits gets nil. Twice is harmless. It has `<close>`.
-- @function Watch:close

return M
