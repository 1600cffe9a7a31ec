local errors = require "luvisor.error"
local lv = require "luvisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function pack_of(fn, ...)
  return table.pack(fn(...))
end

tap.test("pcall returns true and all values, nils too", function()
  tap.is_deeply(pack_of(pcall, function(...) return ..., nil end, 1, nil),
    { true, 1, nil, n = 3 })
  tap.is_deeply(pack_of(pcall, function() end), { true, n = 1 })
  tap.is_deeply(pack_of(pcall, select, "#", nil, nil), { true, 2, n = 2 })
end)

tap.test("pcall returns false and any error value as it is", function()
  local object = {}
  for _, err in ipairs { "text", 7, true, object, print } do
    tap.is_deeply(pack_of(pcall, error, err, 0), { false, err, n = 2 })
  end
  tap.is_deeply(pack_of(pcall, error), { false, nil, n = 2 })
  tap.is_deeply(pack_of(pcall, error, object),
    { false, object, n = 2 })
end)

tap.test("what is called through pcall may wait, before errors too", function()
  tap.is_deeply(pack_of(pcall, function(a)
    task.checkpoint()
    return a, nil
  end, 1), { true, 1, nil, n = 3 })
  tap.is_deeply(pack_of(pcall, function()
    task.checkpoint()
    error("oops", 0)
  end), { false, "oops", n = 2 })
  tap.is_deeply(pack_of(pcall, pcall, pcall, function()
    task.checkpoint()
    error("oops", 0)
  end), { true, true, false, "oops", n = 4 })
end)

tap.test("pcall of nothing, and of what cannot be called", function()
  tap.is_deeply(pack_of(pcall, pcall),
    { false, "bad argument #1 to 'pcall' (value expected)", n = 2 })
  tap.is_deeply(pack_of(pcall, 1),
    { false, "attempt to call a number value", n = 2 })
  tap.is_deeply(pack_of(pcall, nil),
    { false, "attempt to call a nil value", n = 2 })
end)

tap.test("xpcall gives the error to its handler, and returns what that does",
  function()
    local function handler(err) return "handled " .. err, "more" end
    tap.is_deeply(pack_of(xpcall, error, handler, "oops", 0),
      { false, "handled oops", n = 2 })
    tap.is_deeply(pack_of(xpcall, select, handler, 2, "a", "b", nil),
      { true, "b", nil, n = 3 })
    tap.is_deeply(pack_of(xpcall, function(...)
      task.checkpoint()
      error(..., 0)
    end, handler, "late"), { false, "handled late", n = 2 })
    tap.is_deeply(pack_of(xpcall, error, function() end),
      { false, nil, n = 2 })
  end)

tap.test("the handler of xpcall sees the stack of the error", function()
  local function culprit() error "oops" end
  local _, traceback = xpcall(function()
    culprit()
  end, debug.traceback)
  tap.like(traceback, "'culprit'")
  _, traceback = xpcall(function()
    task.checkpoint()
    culprit()
  end, debug.traceback)
  tap.like(traceback, "'culprit'", "after a wait, too")
end)

tap.test("an error in the handler of xpcall does not go on for ever",
  function()
    local ok, err = xpcall(error, function() error("again", 0) end, "oops")
    tap.is(ok, false)
    tap.isnt(err, nil)
    tap.throws(function() xpcall(print) end, "bad argument #2 to 'xpcall'")
  end)

tap.test("a stack that overflows is an error that pcall returns", function()
  local function recurse() return 1 + recurse() end
  local ok, err = pcall(recurse)
  tap.is(ok, false)
  tap.like(err, "stack overflow")
  task.checkpoint()
  ok, err = pcall(function()
    task.checkpoint()
    recurse()
  end)
  tap.is(ok, false)
  tap.like(err, "stack overflow")
end)

tap.test("variables are closed before pcall returns, and may wait", function()
  local steps = {}
  local ok, err = pcall(function()
    local _ <close> = setmetatable({}, { __close = function(_, cause)
      task.checkpoint()
      steps[#steps + 1] = cause
    end })
    error("oops", 0)
  end)
  steps[#steps + 1] = "returned"
  tap.is_deeply({ ok, err }, { false, "oops" })
  tap.is_deeply(steps, { "oops", "returned" })
end)

tap.test("try returns the values, or nil and the error", function()
  tap.is_deeply(pack_of(lv.try, function(...) return nil, ... end, 1, nil),
    { nil, 1, nil, n = 3 })
  tap.is_deeply(pack_of(lv.try, function() end), { n = 0 })
  tap.is_deeply(pack_of(lv.try, error, "oops", 0), { nil, "oops", n = 2 })
  local err = errors.new { kind = "Mine", message = "mine" }
  local _, caught = lv.try(function()
    task.checkpoint()
    error(err)
  end)
  tap.is(rawequal(caught, err), true)
  tap.throws(function() lv.try() end)
end)

tap.test("an error caught by pcall and raised again is the same", function()
  local err = errors.new { kind = "Mine", message = "mine" }
  local _, caught = tap.throws(function()
    local _, first = pcall(error, err)
    error(first, 0)
  end, "Mine")
  tap.is(rawequal(caught, err), true)
end)

tap.test("pcall inside metamethods and iterators may wait", function()
  local object = setmetatable({}, {
    __index = function(_, key)
      task.checkpoint()
      return key .. "!"
    end,
    __add = function(a)
      task.checkpoint()
      return a
    end,
    __call = function()
      task.checkpoint()
      return "called"
    end,
  })
  tap.is(object.field, "field!")
  tap.is(object + 1, object)
  tap.is(select(2, pcall(object)), "called")
  local items = {}
  for item in function(_, last)
    task.checkpoint()
    return (last or 0) < 3 and (last or 0) + 1 or nil
  end do
    items[#items + 1] = item
  end
  tap.is_deeply(items, { 1, 2, 3 })
end)

tap.done()
