--- Errors that nobody asked for: a Future that failed, and whose error no one
-- has looked at, is reported when it is collected or when its loop ends.
-- A watch is made for failed Futures only, so the others cost no finalizer.
-- @local

local M = {}

local Watch = {}
Watch.__name = "luvisor.asyncio.unretrieved"

-- Weak: to be in the list must not keep a watch from being collected.
local lists = setmetatable({}, { __mode = "k" }) -- loop → { watch → number }
local count = 0

local function list_of(loop)
  lists[loop] = lists[loop] or setmetatable({}, { __mode = "k" })
  return lists[loop]
end

local function report(watch)
  if watch.told then return end
  watch.told = true
  local future = watch.future
  local context = {
    message = ("nobody asked for the error of %s"):format(tostring(future)),
    exception = future._exception,
    traceback = future._traceback,
    source_traceback = future._source_traceback,
  }
  context[future._kind] = future
  future._loop:call_exception_handler(context)
end

Watch.__gc = report

--- Watch a Future that has failed.
-- @tparam Future future
-- @treturn table the watch; `told = true` silences it
function M.watch(future)
  local watch = setmetatable({ future = future, told = false }, Watch)
  count = count + 1
  list_of(future._loop)[watch] = count
  return watch
end

--- Report what is left of a loop, in the order in which it failed.
-- @tparam Loop loop
function M.report_all(loop)
  local numbers, left = lists[loop] or {}, {}
  for watch in pairs(numbers) do left[#left + 1] = watch end
  table.sort(left, function(a, b) return numbers[a] < numbers[b] end)
  for _, watch in ipairs(left) do report(watch) end
  lists[loop] = nil
end

return M
