-- Python's test_tasks.py: shield. Where Python looks at the Future that shield
-- makes, we look at a Task that is in shield.
local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local tap = require "luvisor.tap"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

-- Until all that can go on has done so.
local function settle()
  for _ = 1, 5 do turn() end
end

-- A Task that waits in shield.
local function start_shield(aw)
  local t = asyncio.create_task(asyncio.shield, aw)
  turn()
  return t
end

test("test_shield_result", function()
  local inner = asyncio.Future()
  local outer = start_shield(inner)
  inner:set_result(42)
  tap.is(outer:await(), 42)
end)

test("test_shield_exception", function()
  local inner = asyncio.Future()
  local outer = start_shield(inner)
  local err = errors.new { kind = "Runtime", message = "expected" }
  inner:set_exception(err)
  settle()
  tap.is(outer:exception(), err)
end)

test("test_shield_cancel_inner: cancels who waits", function()
  local inner = asyncio.Future()
  local outer = start_shield(inner)
  inner:cancel()
  settle()
  tap.ok(outer:cancelled())
end)

test("test_shield_cancel_outer: leaves the inner one alone", function()
  local inner = asyncio.Future()
  local outer = start_shield(inner)
  outer:cancel()
  settle()
  tap.ok(outer:cancelled())
  tap.ok(not inner:done())
  inner:set_result(1)
end)

test("test_shield_shortcut: what is done is not waited for", function()
  local fut = asyncio.Future()
  fut:set_result(42)
  tap.is(asyncio.shield(fut), 42)
end)

test("test_shield_effect: pcall does not catch it", function()
  local proof, waiter = 0, asyncio.Future()
  local function inner()
    waiter:await()
    proof = proof + 1
  end
  local f = asyncio.create_task(function()
    pcall(asyncio.shield, inner)
    proof = proof + 100
  end)
  turn()
  turn()
  f:cancel()
  tap.throws(function() f:await() end, asyncio.CancelledError)
  waiter:set_result()
  settle()
  tap.is(proof, 1)
end)

test("test_shield_gather: a gather in a shield", function()
  local child1, child2 = asyncio.Future(), asyncio.Future()
  local parent = asyncio.create_task(asyncio.gather, child1, child2)
  local outer = start_shield(parent)
  outer:cancel()
  settle()
  tap.ok(outer:cancelled())
  child1:set_result(1)
  child2:set_result(2)
  tap.is_deeply(parent:await(), { 1, 2, n = 2 })
end)

test("test_gather_shield: shields in a gather", function()
  local child1, child2 = asyncio.Future(), asyncio.Future()
  local inner1, inner2 = start_shield(child1), start_shield(child2)
  local parent = asyncio.create_task(asyncio.gather, inner1, inner2)
  turn()
  parent:cancel()
  settle()
  tap.ok(parent:cancelled())
  tap.ok(inner1:cancelled() and inner2:cancelled())
  child1:set_result(1)
  child2:set_result(2)
  tap.is(child1:result(), 1)
end)

tap.test("test_shield_coroutine_without_loop: the script has one", function()
  tap.is(asyncio.shield { math.max, 42 }, 42)
end)

test("test_shield_coroutine_use_running_loop", function()
  tap.is(asyncio.shield { math.max, 42 }, 42)
end)

tap.test("test_shield_coroutine_use_global_loop: of the loop that is set",
  function()
    local loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    local seen = asyncio.shield(asyncio.get_running_loop)
    asyncio.set_event_loop(nil)
    tap.is(seen, loop)
    loop:close()
  end)

tap.done()
