-- Wrong arguments of these raised Lua's own errors, which name variables that
-- no user knows, or none at all.

local asyncio = require "luvisor.asyncio"
local expect = require "luvisor.expect"
local tap = require "luvisor.tap"

local function refuses(fn, ...)
  local args = table.pack(...)
  tap.throws(function() fn(table.unpack(args, 1, args.n)) end, "UsageError")
end

tap.test("a loop must be a loop", function()
  refuses(asyncio.run_coroutine_threadsafe, print)
  refuses(asyncio.run_coroutine_threadsafe, print, {})
end)

tap.test("StreamReader:read takes a number of bytes", function()
  local reader = asyncio.StreamReader()
  reader:feed_data "abc"
  for _, n in ipairs { "2", 1.5, {}, true } do
    refuses(reader.read, reader, n)
  end
  tap.is(reader:read(2), "ab")
end)

tap.test("Condition:wait_for takes a function", function()
  local condition <close> = asyncio.Condition():acquire()
  refuses(asyncio.Condition().wait_for, condition)
  refuses(asyncio.Condition().wait_for, condition, 1)
end)

tap.test("a protocol factory must make a protocol", function()
  refuses(asyncio.subprocess_exec, function() end, "true")
  refuses(asyncio.connect_read_pipe, function() return 1 end, 0)
end)

tap.test("Task:print_stack takes a file", function()
  refuses(asyncio.Task.print_stack, asyncio.current_task(), 1)
end)

tap.test("a session has rows and columns", function()
  local s <close> = expect.spawn { "cat" }
  refuses(s.resize, s)
  refuses(s.resize, s, nil, 80)
  refuses(s.resize, s, 24)
end)

tap.done()
