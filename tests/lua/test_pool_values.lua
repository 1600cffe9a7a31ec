-- What is copied to a worker and back, and what is refused.

local codec = require "luvisor.core.codec"
local errors = require "luvisor.error"
local pool = require "luvisor.pool"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local random = math.random
local SIZE <const> = 8 -- bytes before a message

-- With a collection at every turn, less is enough, and takes long as it is.
local PART <const> = os.getenv "LUVISOR_GC" and 0.01 or 1

local function echo(...)
  return ...
end

local function copied(...)
  return codec.decode(codec.encode(...):sub(SIZE + 1))
end

-- Are they alike: types, values, and which tables are the same one?
local function alike(a, b, pairs_seen)
  if type(a) ~= "table" or type(b) ~= "table" then
    return math.type(a) == math.type(b) and (a == b or a ~= a and b ~= b)
  end
  if pairs_seen[a] or pairs_seen[b] then
    return pairs_seen[a] == b and pairs_seen[b] == a
  end
  pairs_seen[a], pairs_seen[b] = b, a
  local count = 0
  for key, value in next, a do
    if type(key) ~= "table" then
      if not alike(value, b[key], pairs_seen) then return false end
    end
    count = count + 1
  end
  for _ in next, b do count = count - 1 end
  return count == 0
end

-- Single values ---------------------------------------------------------------

tap.test("each kind of value comes back as it was", function()
  local p <close> = pool.new { workers = 1 }
  local bytes = {}
  for i = 0, 255 do bytes[i + 1] = string.char(i) end
  local all = table.concat(bytes)
  local list = {
    true, false, 0, 1, -1, 127, 128, -128, -129, 255, 256, 1 << 31, 1 << 53,
    math.maxinteger, math.mininteger, 0.0, -0.0, 1.5, 1e308, 5e-324, 1 / 0,
    -1 / 0, 2 ^ 53, "", "a", all, all:rep(1000), ("x"):rep(255),
    ("x"):rep(256), ("x"):rep(257),
  }
  for i, value in ipairs(list) do
    local back = p:call(echo, value)
    if not rawequal(back, value) or math.type(back) ~= math.type(value) then
      tap.is(back, value, "value " .. i)
    end
  end
  tap.is(p:call(echo, nil), nil)
  local nan = p:call(echo, 0 / 0)
  tap.ok(nan ~= nan, "NaN")
  tap.is(1 / p:call(echo, -0.0), -1 / 0, "the sign of zero")
end)

tap.test("a hundred megabytes go there and back", function()
  local p <close> = pool.new { workers = 1 }
  local big = ("0123456789"):rep(10 << 20)
  local back, n = p:call(function(s) return s .. "!", #s end, big)
  tap.is(n, #big)
  tap.ok(back == big .. "!")
end)

tap.test("many arguments and results are no matter", function()
  local p <close> = pool.new { workers = 1 }
  local list = {}
  for i = 1, 5000 do list[i] = i end
  tap.is(select("#", p:call(echo, table.unpack(list))), 5000)
  tap.is((select(5000, p:call(echo, table.unpack(list)))), 5000)
end)

-- Tables ----------------------------------------------------------------------

tap.test("a table in two places is one on the other side, too", function()
  local p <close> = pool.new { workers = 1 }
  local shared = { 1 }
  local a, b = p:call(function(x, y)
    y.again[1] = 2
    return x, { y, y.again }
  end, shared, { again = shared })
  tap.is(a[1], 2, "it was one there")
  tap.is(b[2], a, "and is here")
  tap.is(b[1].again, a)
  tap.is(shared[1], 1, "ours is another")
end)

tap.test("a table may contain itself, and be a key", function()
  local p <close> = pool.new { workers = 1 }
  local t = { name = "t" }
  t.self, t[t] = t, { t }
  local back = p:call(echo, t)
  tap.is(back.self, back)
  tap.is(back[back][1], back)
  tap.is(back.name, "t")
end)

tap.test("however deep tables lie in one another", function()
  local p <close> = pool.new { workers = 1 }
  local deep, n = {}, 0
  local depth <const> = 300000 * PART // 1
  for _ = 1, depth do deep = { deep } end
  local back = p:call(echo, deep)
  while back[1] do back, n = back[1], n + 1 end
  tap.is(n, depth)
end)

tap.test("tables with holes, and of both kinds of keys", function()
  for _, t in ipairs {
    {}, { 1, nil, 3 }, { nil, nil, 3 }, { [0] = 0, 1, 2 }, { [5] = 5 },
    { 1, 2, x = 3, [2.5] = 4, [true] = 5, [-1] = 6, [1 << 40] = 7 },
    { [math.mininteger] = 1, [math.maxinteger] = 2 },
  } do
    tap.is_deeply(copied(t), t)
  end
end)

tap.test("metatables stay behind, and are not asked", function()
  local p <close> = pool.new { workers = 1 }
  local function no() error "asked" end
  local t = setmetatable({ 1, x = 2 }, {
    __index = no, __newindex = no, __pairs = no, __len = no, __close = no,
  })
  local back, meta = p:call(function(x) return x, getmetatable(x) end, t)
  tap.is(meta, nil)
  tap.is_deeply(back, { 1, x = 2 })
end)

tap.test("errors, Status and Result stay what they are", function()
  local p <close> = pool.new { workers = 1 }
  local err = errors.new { kind = "Odd", message = "odd", cause =
    errors.new { kind = "Closed", message = "inner" } }
  local back, is = p:call(function(e) return e, e:is "Odd" end, err)
  tap.ok(is and back:is "Odd" and back.cause:is "Closed")
  tap.is(tostring(back), tostring(err))
  local result = process.run { "true" }
  tap.is(tostring(p:call(echo, result)), "exited 0")
  tap.is(p:call(function(r) return tostring(r) end, result), "exited 0")
end)

tap.test("a caught cancellation crosses as an ordinary error", function()
  local caught = errors.new { kind = "Cancelled", message = "x", _scope = 1 }
  local back = copied(caught)
  tap.is(back.kind, "Cancelled")
  tap.is(back._scope, nil)
  tap.is(copied({ _scope = 1 })._scope, 1, "of errors only")
end)

-- What is refused -------------------------------------------------------------

tap.test("what cannot be sent is refused, with its path", function()
  local p <close> = pool.new { workers = 1 }
  local co = coroutine.create(print)
  local cycle = {}
  cycle.self, cycle.deep = cycle, { cycle, { f = print } }
  for path, args in pairs {
    ["argument 1 is a function"] = { print },
    ["argument 3 is a coroutine"] = { 1, 2, co },
    ["argument 2 is a userdata"] = { {}, io.stdout },
    ['argument 2, field "x" is a function'] = { 1, { x = print } },
    ['argument 1, element 2, field "a b" is a coroutine'] =
      { { 1, { ["a b"] = co } } },
    ['argument 1, field "deep", element 2, field "f" is a function'] =
      { cycle },
    ["a key of argument 1 is a function"] = { { [print] = 1 } },
    ["argument 1, %[true%] is a userdata"] = { { [true] = io.stdout } },
    ['argument 1, field "\\x0a\\x22" is a function'] = { { ["\n\""] = print } },
    ["argument 1, field \"" .. ("k"):rep(40) .. "…\" is"] =
      { { [("k"):rep(50)] = print } },
  } do
    tap.throws(function() p:call(echo, table.unpack(args)) end,
      "pool:call: " .. path)
  end
  tap.like(tostring(p), "^pool %(0 of", "nothing was sent")
end)

tap.test("results are refused in the same words", function()
  local p <close> = pool.new { workers = 1 }
  local _, err = tap.throws(function()
    p:call(function() return 1, { list = { print } } end)
  end, "UsageError")
  tap.like(tostring(err),
    'pool:call: result 2, field "list", element 1 is a function')
  tap.is(p:call(echo, 1), 1, "the worker is as good as before")
end)

-- Any value -------------------------------------------------------------------

local make -- a random value

local function make_table(depth, known)
  local t = {}
  known[#known + 1] = t
  for _ = 1, random(0, 6) do t[#t + 1] = make(depth + 1, known) end
  for _ = 1, random(0, 6) do
    local key = make(depth + 3, known)
    if key ~= nil and key == key then t[key] = make(depth + 1, known) end
  end
  return t
end

local makers = {
  function() return nil end,
  function() return random(2) == 1 end,
  function() return random(-300, 300) end,
  function() return random(0) end,
  function() return random() * 10 ^ random(-300, 300) end,
  function() return ({ 1 / 0, -1 / 0, 0 / 0, -0.0 })[random(4)] end,
  function()
    local bytes = {}
    for i = 1, random(0, random(4) == 1 and 600 or 20) do
      bytes[i] = string.char(random(0, 255))
    end
    return table.concat(bytes)
  end,
  function(_, known) return known[random(#known)] end, -- a table met before
}

function make(depth, known)
  if depth < 5 and random(3) == 1 then return make_table(depth, known) end
  return makers[random(#makers)](depth, known)
end

tap.test("any value comes back as it was", function()
  local seed = math.tointeger(os.getenv "LUVISOR_SEED")
    or os.time() ~ math.tointeger(os.clock() * 1e6 // 1)
  print("# seed " .. seed)
  math.randomseed(seed)
  local p <close> = pool.new { workers = 1 }
  for round = 1, 400 * PART do
    local value = make_table(0, {})
    local through = round % 4 == 0 and p:call(echo, value) or copied(value)
    if not alike(value, through, {}) then
      tap.ok(false, ("round %d of seed %d"):format(round, seed))
    end
  end
end)

tap.test("no damaged message does harm", function()
  for _ = 1, 3000 * PART do
    local message = codec.encode(make(0, { {} }), make_table(0, {}))
      :sub(SIZE + 1)
    local at = random(#message)
    if random(4) == 1 then
      message = message:sub(1, at - 1)
    else
      message = message:sub(1, at - 1) .. string.char(random(0, 255))
        .. message:sub(at + 1)
    end
    local ok, err = pcall(codec.decode, message)
    if not ok and not tostring(err):find "malformed message" then
      tap.is(err, "malformed message")
    end
  end
  tap.throws(function() codec.decode "" end, "malformed")
end)

tap.done()
