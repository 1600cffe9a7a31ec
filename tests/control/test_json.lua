-- luvisor.json: what it writes is JSON whatever it is given, what it reads is
-- bounded, and both say what is wrong.
local json = require "luvisor.json"
local tap = require "luvisor.tap"

local is, is_deeply, ok = tap.is, tap.is_deeply, tap.ok

tap.test("values are written as short as they can be, keys in order",
  function()
    local cases = {
      { nil, "null" }, { json.null, "null" }, { true, "true" },
      { false, "false" }, { 1, "1" }, { -0.0, "-0.0" }, { 2.0, "2.0" },
      { 0.1, "0.1" }, { 1 / 3, "0.33333333333333331" }, { 1e300, "1e+300" },
      { math.maxinteger, "9223372036854775807" },
      { math.mininteger, "-9223372036854775808" },
      { 5e-324, "4.94065645841247e-324" },
      { {}, "{}" }, { json.list {}, "[]" }, { json.list(), "[]" },
      { { 1, 2, { 3 } }, "[1,2,[3]]" },
      { { b = 1, a = { c = json.list {} } }, '{"a":{"c":[]},"b":1}' },
      { { [""] = "" }, '{"":""}' },
      { { json.null, json.null }, "[null,null]" },
      { 'q"b\\s/\b\f\n\r\t\0\31\127', '"q\\"b\\\\s/\\b\\f\\n\\r\\t\\u0000'
        .. '\\u001f\127"' },
      { "é\u{1F600}\u{2028}", '"é\u{1F600}\u{2028}"' },
    }
    for i = 1, #cases do
      is(json.encode(cases[i][1]), cases[i][2])
    end
  end)

tap.test("bytes that are no UTF-8 become U+FFFD, each of them", function()
  local bad = "\u{FFFD}"
  local cases = {
    ["\xff"] = bad, ["a\xffb"] = "a" .. bad .. "b", ["\xc3"] = bad,
    ["\xc3\xa9\xc3"] = "é" .. bad, ["\xed\xa0\x80"] = bad:rep(3), -- a surrogate
    ["\xf4\x90\x80\x80"] = bad:rep(4), ["\xc0\x80"] = bad:rep(2), -- too long
    ["\xf0\x9f\x98"] = bad:rep(3), ["\x80x\x80"] = bad .. "x" .. bad,
  }
  for text, expected in pairs(cases) do
    is(json.encode(text), '"' .. expected .. '"')
    is(json.encode { [text] = 1 }, '{"' .. expected .. '":1}')
  end
  math.randomseed(7)
  local valid = 0
  for _ = 1, 500 do
    local bytes = {}
    for i = 1, math.random(0, 60) do
      bytes[i] = string.char(math.random(0, 255))
    end
    local text = json.encode(table.concat(bytes))
    if utf8.len(text) and type(json.decode(text)) == "string" then
      valid = valid + 1
    end
  end
  is(valid, 500, "whatever the bytes are")
end)

tap.test("what has no JSON is refused, with its place", function()
  local ring = {}
  ring.ring = ring
  local deep = {}
  for _ = 1, 200 do deep = { deep } end
  local cases = {
    { { a = { 1, print } }, "json.encode: .a[2]: a function has no text" },
    { { a = 0 / 0 }, "json.encode: .a: NaN is no number in JSON" },
    { math.huge, "json.encode: inf is no number in JSON" },
    { { 1, 2, x = 3 }, "json.encode: a list with a key x" },
    { { 1, nil, 3 }, "json.encode: a list with holes" },
    { { [true] = 1 }, "json.encode: the key true is no string" },
    { { [1.5] = 1 }, "json.encode: the key 1.5 is no string" },
    { coroutine.create(print), "json.encode: a thread has no text" },
    { ring, "is one in itself?" }, { deep, "is one in itself?" },
  }
  for _, case in ipairs(cases) do
    local done, err = pcall(json.encode, case[1])
    ok(not done and err.kind == "UsageError"
      and err.message:find(case[2], 1, true), tostring(err))
  end
  tap.throws(function() json.list(3) end, "expected a plain table, got number")
  tap.throws(function() json.list(setmetatable({}, {})) end, "a metatable")
end)

tap.test("texts are read as they are meant", function()
  local cases = {
    { "1", 1 }, { "-0", 0 }, { "1.0", 1 }, { "1.5e3", 1500 }, { "1e-2", 0.01 },
    { "9007199254740992", 9007199254740992 }, { " true ", true },
    { '"\\u00e9\\ud83d\\ude00\\n\\/"', "é\u{1F600}\n/" },
    { '"\\u0000"', "\0" }, { '"\xc3\xa9"', "é" },
  }
  for _, case in ipairs(cases) do
    local value = json.decode(case[1])
    is(value, case[2], case[1])
    is(math.type(value), math.type(case[2]), case[1])
  end
  is(math.type(json.decode "1e15"), "integer")
  is(math.type(json.decode "1e16"), "float", "more than a float holds exactly")
  is_deeply(json.decode '{"a":[1,{"b":[]}],"c":{}}',
    { a = { 1, { b = {} } }, c = {} })
  is(json.decode("[null]")[1], json.null)
  is(json.decode("[null]", { nulls = false })[1], nil)
  is(json.decode("null", { nulls = false }), nil)
  is_deeply(json.decode('{"a":null,"b":[{"c":null}]}', { nulls = false }),
    { b = { {} } })
  is(json.decode('{"a":1,"a":2}').a, 2, "of two keys the last")
end)

tap.test("what is no JSON is refused, with its place", function()
  local bad = {
    "", " ", "{", "[", "]", "[1,]", '{"a":1,}', "{a:1}", "{'a':1}", "[1 2]",
    "[1]x", "nul", "True", "NaN", "Infinity", "-Infinity", "0x10", "+1",
    "1e999", "-1e999", "[1e400]", '"', '"\\', '"\\x"', '"\\u12"',
    '"\\ud800"', '"\\udc00"', "\0", "[1\0]", "\xef\xbb\xbf{}", "// x\n1", "nan",
  }
  for _, text in ipairs(bad) do
    local done, err = pcall(json.decode, text)
    ok(not done and err.kind == "SyntaxError",
      ("%q: %s"):format(text, tostring(err)))
  end
  local _, err = pcall(json.decode, '{\n  "a": 1,\n  "b": x\n}')
  is(err.line, 3)
  is(err.column, 8)
  is(err.position, 20)
end)

tap.test("depth and size are bounded", function()
  local function nested(n) return ("["):rep(n) .. ("]"):rep(n) end
  ok((pcall(json.decode, nested(100))), "100 are not too many")
  for _, text in ipairs { nested(101), ("["):rep(1000000),
                          ('{"a":'):rep(101) .. "1" .. ("}"):rep(101) } do
    local done, err = pcall(json.decode, text)
    ok(not done and err.kind == "SyntaxError", tostring(err))
  end
  ok((pcall(json.decode, nested(3), { max_depth = 3 })))
  ok(not pcall(json.decode, nested(4), { max_depth = 3 }))
  local done, err = pcall(json.decode, '"' .. ("x"):rep(100) .. '"',
    { max_size = 50 })
  ok(not done and err.kind == "LimitOverrun", tostring(err))
  tap.throws(function() json.decode(3) end, "expected a string, got number")
  tap.throws(function() json.decode("1", { nul = false }) end, "nulls")
end)

tap.test("what is written is read again", function()
  math.randomseed(11)
  local function value(depth)
    local kind = math.random(1, depth > 4 and 4 or 6)
    if kind == 1 then return math.random(-2 ^ 53 // 1 | 0, 2 ^ 53 // 1 | 0) end
    if kind == 2 then return math.random() * 10 ^ math.random(-300, 300) end
    if kind == 3 then return math.random() < 0.5 end
    if kind == 4 then return utf8.char(math.random(0, 0xD7FF)):rep(3) end
    local t = {}
    for i = 1, math.random(1, 4) do
      t[kind == 5 and i or "k" .. i] = value(depth + 1)
    end
    return t
  end
  for _ = 1, 300 do
    local one = { value(0) }
    local text = json.encode(one)
    if json.encode(json.decode(text)) ~= text then
      -- a whole float comes back as an integer, and then stays so
      is_deeply(json.decode(text), one)
    end
  end
  ok(true, "300 values")
end)

tap.done()
