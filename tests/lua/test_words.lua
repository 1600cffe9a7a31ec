local tap = require "luvisor.tap"
local words = require "luvisor.words"

tap.test("plain words need no quotes", function()
  for _, word in ipairs { "ls", "-l", "--name=x", "/usr/bin", "a,b", "x@y:1",
                          "50%", "a+b", "_", "0" } do
    tap.is(words.quote(word), word)
  end
end)

tap.test("what a shell would read otherwise is quoted", function()
  local cases = {
    [""] = "''", ["a b"] = "'a b'", ["$HOME"] = "'$HOME'", ["*"] = "'*'",
    ["~"] = "'~'", ["a\nb"] = "'a\nb'", ["it's"] = [['it'\''s']],
    ["'"] = [[''\''']], ["a\\b"] = [['a\b']], ["A=b"] = "'A=b'",
    ["A+=b"] = "'A+=b'", ["if"] = "'if'", ["#x"] = "'#x'", ["!"] = "'!'",
    ["{a,b}"] = "'{a,b}'", ["é"] = "'é'", ["\255"] = "'\255'",
  }
  for word, quoted in pairs(cases) do tap.is(words.quote(word), quoted) end
end)

tap.test("a list becomes a line", function()
  tap.is(words.quote { "ls", "my file", "" }, "ls 'my file' ''")
  tap.is(words.quote { "sleep", 5, 0.5 }, "sleep 5 0.5", "numbers as printed")
  tap.is(words.quote {}, "", "no words are an empty line")
end)

tap.test("what is no word cannot be quoted", function()
  tap.throws(function() words.quote(nil) end, "must be a string, got nil")
  tap.throws(function() words.quote { "a", true } end,
             "word 2 must be a string, got boolean")
  tap.throws(function() words.quote "a\0b" end, "zero byte")
end)

tap.test("split reads words as a shell does", function()
  local cases = {
    [""] = {},
    [" \t\n "] = {},
    ["a  b\tc\nd"] = { "a", "b", "c", "d" },
    ["  a "] = { "a" },
    ["'a b' c"] = { "a b", "c" },
    ['"a b" c'] = { "a b", "c" },
    ["a'b'\"c\"d"] = { "abcd" },
    ["'' a \"\""] = { "", "a", "" },
    [ [[a\ b \'c \"]] ] = { "a b", "'c", '"' },
    [ [['a\b' "a\b" a\b]] ] = { "a\\b", "a\\b", "ab" },
    [ [["\$ \` \" \\ \n"]] ] = { [[$ ` " \ \n]] },
    [ [['"' "'"]] ] = { '"', "'" },
    ["a \\\n b"] = { "a", "b" },
    ["a\\\nb"] = { "ab" },
    ["\\\n"] = {},
    ["\"a\\\nb\""] = { "ab" },
    ["'a\\\nb'"] = { "a\\\nb" },
  }
  for line, list in pairs(cases) do
    tap.is_deeply(words.split(line), list, ("%q"):format(line))
  end
end)

tap.test("split expands and runs nothing", function()
  tap.is_deeply(words.split "echo $HOME *.c ~ `id` $(id) | cat; # x > y",
                { "echo", "$HOME", "*.c", "~", "`id`", "$(id)", "|", "cat;",
                  "#", "x", ">", "y" })
end)

tap.test("an unfinished quote is named with its column", function()
  local cases = {
    ["a 'b"] = "unfinished ' quote at column 3",
    ['"'] = 'unfinished " quote at column 1',
    [ [["a\"]] ] = 'unfinished " quote at column 1',
    [ [["a\]] ] = 'unfinished " quote at column 1',
    ["'a' b'"] = "unfinished ' quote at column 6",
    ["ab\\"] = "unfinished escape at column 3",
  }
  for line, message in pairs(cases) do
    local _, err = tap.throws(function() words.split(line) end, "UsageError")
    tap.is(tostring(err), "process.split: " .. message)
  end
  tap.throws(function() words.split {} end, "line must be a string, got table")
end)

-- A small generator: the same words in every run.
local function random_word(state)
  local alphabet = "ab =$'\"\\\n\t#;|&*?~!{}()<>`\1\255é"
  local chars = {}
  for i = 1, state.next(9) - 1 do
    local at = state.next(#alphabet)
    chars[i] = alphabet:sub(at, at)
  end
  return table.concat(chars)
end

local function random_lists(count)
  local seed = 1
  local state = {
    next = function(n)
      seed = (seed * 1103515245 + 12345) & 0x7fffffff
      return (seed >> 16) % n + 1
    end,
  }
  local lists = {}
  for i = 1, count do
    lists[i] = {}
    for j = 1, state.next(4) do lists[i][j] = random_word(state) end
  end
  return lists
end

tap.test("split reads back what quote wrote", function()
  local same = 0
  for _, list in ipairs(random_lists(500)) do
    local back = words.split(words.quote(list))
    if table.concat(back, "\0") == table.concat(list, "\0") then
      same = same + 1
    else
      tap.is_deeply(back, list)
    end
  end
  tap.is(same, 500)
end)

tap.test("a real shell reads it back too", function()
  for _, list in ipairs(random_lists(20)) do
    local command = "printf '%s\\0' " .. words.quote(list)
    local pipe <close> = assert(io.popen(command))
    tap.is(pipe:read "a", table.concat(list, "\0") .. "\0")
  end
end)

tap.done()
