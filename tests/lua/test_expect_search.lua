-- The search under expect, compared with string.find over all that has come.

local core = require "luvisor.core.expect"
local tap = require "luvisor.tap"

local SEED <const> = tonumber(os.getenv "LUVISOR_SEED") or os.time()
local BIG <const> = 1 << 20

local function specs_of(patterns)
  local specs = {}
  for i, p in ipairs(patterns) do
    specs[i] = type(p) == "table" and { text = p.literal, literal = true }
      or { text = p }
  end
  return specs
end

local function new_search(patterns, window)
  return core.search(specs_of(patterns), window or BIG, window or 4096)
end

-- What expect promises: the match of string.find that begins first in all that
-- has come, the first in the list of those that begin together.
local function model(text, patterns)
  local best
  for i, p in ipairs(patterns) do
    local found
    if type(p) == "table" then
      found = table.pack(text:find(p.literal, 1, true))
    else
      found = table.pack(text:find(p))
    end
    if found[1] and (not best or found[1] < best[2]) then
      best = { i, table.unpack(found, 1, found.n) }
    end
  end
  return best
end

-- Feeds the pieces one by one; the first result and after how many.
local function feed(look, pieces)
  for i = 0, #pieces do
    local found = look(pieces[i] or "")
    if found then return i, found end
  end
end

local function by_search(patterns)
  local s, b = new_search(patterns), core.buffer(BIG)
  return function(piece)
    b:append(piece)
    local found = table.pack(s:look(b))
    found.n = nil
    return found[1] and found or nil
  end
end

local function by_model(patterns)
  local text = ""
  return function(piece)
    text = text .. piece
    return model(text, patterns)
  end
end

local function show(patterns, pieces, i, found)
  local shown = {}
  for k, p in ipairs(patterns) do
    shown[k] = type(p) == "table" and ("literal %q"):format(p.literal)
      or ("%q"):format(p)
  end
  return ("{%s} in %q: %s: %s"):format(table.concat(shown, ", "),
    table.concat(pieces, "|"), tostring(i),
    found and table.concat(found, ",") or "nothing")
end

-- Whether both say the same; if not, the test fails and shows it.
local function agree(patterns, pieces)
  local i, found = feed(by_search(patterns), pieces)
  local want_i, want = feed(by_model(patterns), pieces)
  local got_text = show(patterns, pieces, i, found)
  local want_text = show(patterns, pieces, want_i, want)
  if got_text == want_text then return true end
  return tap.is(got_text, want_text)
end

local function pieces_of(text, cuts)
  local pieces, from = {}, 1
  for _, cut in ipairs(cuts) do
    pieces[#pieces + 1] = text:sub(from, cut)
    from = cut + 1
  end
  pieces[#pieces + 1] = text:sub(from)
  return pieces
end

local dialogues = {
  { "login: ", "login: " },
  { "Password:", "user\r\nPassword: " },
  { "%$ $", "a $ b\r\n$ " },
  { "(%w+)@(%w+)", "mail from joe@host now" },
  { "()x()", "..x.." },
  { "a.-b", "xxaaabab" },
  { "a.*b", "xxaaabab" },
  { "^abc", "abcd" },
  { "^b", "abcb" },
  { "%f[%w]%w+%f[%W]", "  word next" },
  { "%b()", "f(a(b)c(d)) e)" },
  { "%b''", "say 'it' or 'not'" },
  { "[^%s]+%s", "word \n" },
  { "(a?)(b*)(c-)d", "aabbccd" },
  { "(%w)%1", "abccd" },
  { "x*", "yyxx" },
  { "$", "text" },
  { "aab", "aaaab" },
  { "[]-a]+", "xx^_`yy" },
  { "%d+", "no 12 345" },
}

tap.test("a text split in two anywhere gives what string.find finds",
  function()
    local good = true
    for _, d in ipairs(dialogues) do
      local pattern, text = d[1], d[2]
      for cut = 0, #text do
        local pieces = pieces_of(text, { cut })
        good = agree({ pattern }, pieces) and good
        good = agree({ { literal = pattern } }, pieces) and good
        good = agree({ pattern, "%d", { literal = "b" } }, pieces) and good
      end
      good = agree({ pattern }, pieces_of(text, { 1, 2, 3, 4, 5, 6, 7, 8 }))
        and good
    end
    tap.ok(good, "all of them")
  end)

local units = { "a", "b", "c", ".", "%a", "[ab]", "[^a]", "[a-c]", "%A", "x",
                "%(", "[%a-]", "a", "b" }
local suffixes = { "", "", "", "*", "+", "-", "?" }

local function pick(list)
  return list[math.random(#list)]
end

local function random_item(depth)
  local kind = math.random(20)
  if kind == 1 then return "%b()" end
  if kind == 2 then return "%f[" .. pick { "%w", "^a", "(", "%z" } .. "]" end
  if kind == 3 then return "()" end
  if kind <= 6 and depth < 2 then
    local inner = {}
    for i = 1, math.random(3) do inner[i] = random_item(depth + 1) end
    return "(" .. table.concat(inner) .. ")"
  end
  return pick(units) .. pick(suffixes)
end

local function random_pattern()
  local items = { pick { "", "", "", "", "", "^" } }
  for _ = 1, math.random(4) do items[#items + 1] = random_item(0) end
  items[#items + 1] = pick { "", "", "", "", "", "", "$" }
  return table.concat(items)
end

local function random_text(letters, n)
  local text = {}
  for i = 1, math.random(0, n) do
    local k = math.random(#letters)
    text[i] = letters:sub(k, k)
  end
  return table.concat(text)
end

local function random_patterns()
  local patterns = {}
  for i = 1, math.random(3) do
    patterns[i] = math.random(4) > 1 and random_pattern()
      or { literal = "a" .. random_text("abc(", 3) }
  end
  return patterns
end

local function random_pieces(letters)
  local pieces = {}
  for i = 1, math.random(8) do
    pieces[i] = random_text(letters, pick { 1, 2, 6, 20 })
  end
  return pieces
end

tap.test("random patterns in random pieces give what string.find finds",
  function()
    print("# seed " .. SEED)
    math.randomseed(SEED)
    local good = true
    for _ = 1, 20000 do
      if not good then break end
      good = agree(random_patterns(), random_pieces(pick {
        "abc", "abx()", "a(b)c-", "aab\0c" }))
    end
    tap.ok(good, "all of them")
  end)

-- The longest match that is found for certain is as long as the window.
tap.test("what is no longer than the window is found, however it comes",
  function()
    math.randomseed(SEED)
    local hard = { "a.*b", "a[^b]-b", "(a+)(.-)b", "%f[a]a.-b", "(a).-%1b" }
    local WINDOW <const> = 16
    local good = true
    for _ = 1, 2000 do
      local pattern = pick(hard)
      local s, b = new_search({ pattern }, WINDOW), core.buffer(2 * WINDOW)
      local text = random_text("ac", 200) .. "a" .. random_text("c", 6) .. "ab"
      local found
      local size = math.random(5)
      for i = 1, #text, size do
        b:append(text:sub(i, i + size - 1))
        found = s:look(b)
        if found then break end
        b:trim()
      end
      if not found then
        good = tap.ok(false, ("%q in %q"):format(pattern, text))
        break
      end
    end
    tap.ok(good, "all of them")
  end)

local function examined(patterns, pieces, window)
  local s, b = new_search(patterns, window), core.buffer(2 * (window or BIG))
  local total = 0
  for _, piece in ipairs(pieces) do
    b:append(piece)
    total = total + #piece
    tap.is(s:look(b), nil)
    b:trim()
  end
  return b:examined(), total
end

local function repeated(piece, n)
  local list = {}
  for i = 1, n do list[i] = piece end
  return list
end

tap.test("a pattern looks at each byte once, however small the pieces",
  function()
    for _, pattern in ipairs { "x", "%d+x", "a.-x", ".*x", "a*a*a*x",
                               "%f[x]x", "(a-)(.-)x", "%b()x", "$x" } do
      for _, pieces in ipairs { repeated("a", 2000),
                                repeated(("ab("):rep(1000), 20) } do
        local n, total = examined({ pattern }, pieces)
        tap.ok(n <= total, ("%q: %d of %d"):format(pattern, n, total))
      end
    end
  end)

tap.test("a pattern whose beginning stands everywhere looks twice at most",
  function()
    for _, pattern in ipairs { "a.*x", "a.-x", "%b()x", "()a(.*)x" } do
      local n, total = examined({ pattern }, repeated(("a("):rep(500), 60), 999)
      tap.ok(n <= 2 * total, ("%q: %d of %d"):format(pattern, n, total))
    end
  end)

tap.test("a literal is looked for with as much overlap as it needs", function()
  local n, total = examined({ { literal = "aab" } }, repeated("a", 1000))
  tap.ok(n <= 3 * total, ("in bytes: %d of %d"):format(n, total))
  n, total = examined({ { literal = "aab" } }, repeated(("a"):rep(1000), 100))
  tap.ok(n <= total + 200, ("in pieces: %d of %d"):format(n, total))
end)

tap.test("what is far is not looked for anew behind each near match", function()
  local s, b = new_search { "far", "near" }, core.buffer(BIG)
  b:append(("near "):rep(20000))
  for _ = 1, 20000 do
    local _, _, to = s:look(b)
    b:take(to)
  end
  tap.ok(b:examined() < 20000 * 2 * 1024, b:examined() .. " bytes")
end)

tap.test("%1 is found, too, in windows", function()
  for _, piece in ipairs { 1, 7, 100 } do
    local s, b = new_search({ "(%w+)=%1()" }, 16), core.buffer(32)
    local text = ("."):rep(500) .. " one=one ..."
    local found
    for i = 1, #text, piece do
      b:append(text:sub(i, i + piece - 1))
      found = table.pack(s:look(b))
      if found[1] then break end
      b:trim()
    end
    tap.is(found[4], b:head(found[3]):match "(%w+)=", "what it captured")
    tap.is(found[5], found[3] + 1, "where it ends")
  end
  local s, b = new_search({ "^(.)%1$" }, 4), core.buffer(8)
  b:append "abb"
  tap.is(s:look(b), nil, "anchored")
  b:take(1)
  tap.is(s:look(b), 1)
  b:append(("b"):rep(20))
  tap.is(s:look(b), nil)
end)

tap.test("brackets that are never closed do not hide those that are",
  function()
    local s, b = new_search { "%b()x" }, core.buffer(BIG)
    b:append(("("):rep(200) .. (")"):rep(200) .. "x")
    tap.is_deeply({ s:look(b) }, { 1, 1, 401 }, "200 are counted exactly")
    b:take(401)
    b:append(("("):rep(5000) .. "(a)x")
    tap.is_deeply({ s:look(b) }, { 1, 5001, 5004 })
  end)

tap.test("what was dropped from the buffer is not found", function()
  local s, b = new_search({ "^a", "ab", { literal = "ac" }, "(a).-%1c" }, 4),
    core.buffer(8)
  b:append "xxxxa"
  tap.is(s:look(b), nil)
  b:append(("x"):rep(20))
  b:trim()
  tap.is(b:size(), 8)
  tap.is(b:dropped(), 17)
  tap.is(s:look(b), nil)
  b:append "bcab"
  tap.is_deeply({ s:look(b) }, { 2, 11, 12 })
end)

tap.test("a search that has found something begins anew", function()
  local s, b = new_search { "a+" }, core.buffer(BIG)
  b:append "xa"
  tap.is_deeply({ s:look(b) }, { 1, 2, 2 })
  b:append "a"
  tap.is_deeply({ s:look(b) }, { 1, 2, 3 }, "nothing was taken")
  b:take(2)
  tap.is_deeply({ s:look(b) }, { 1, 1, 1 })
end)

local malformed = {
  ["%"] = "ends with", ["[a"] = "missing", ["[%"] = "missing",
  ["[]"] = "missing", ["[^]"] = "missing", ["(a"] = "no \")\"",
  ["a)"] = "no \"(\"", ["%b"] = "two characters", ["%bx"] = "two characters",
  ["%f"] = "needs a", ["%fa"] = "needs a", ["%1"] = "no capture",
  ["(%1)"] = "no capture", ["%0"] = "no capture", ["(a)%2"] = "no capture",
  [("()"):rep(33)] = "too many captures", [("a"):rep(9000) .. "."] = "too long",
}

tap.test("a malformed pattern is refused, and the message says why", function()
  for pattern, why in pairs(malformed) do
    tap.throws(function() new_search { pattern } end, function(err)
      return err.kind == "UsageError" and tostring(err):find(why, 1, true)
    end, pattern:sub(1, 20))
  end
end)

tap.done()
