-- docs/reference/pains.md says which of our tests stands for which pain. That
-- it is true: each test that it names is there, each that is named after an
-- issue stands in it, no row is empty.
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local PAGE <const> = SOURCE .. "/docs/reference/pains.md"

-- A test file's text, with strings that go over several lines in one piece.
local sources = setmetatable({}, {
  __index = function(t, name)
    local file <close> = io.open(SOURCE .. "/tests/" .. name)
    t[name] = file and file:read "a":gsub('"%s*%.%.%s*"', "") or false
    return t[name]
  end,
})

local function rows()
  local list, number = {}, 0
  for line in io.lines(PAGE) do
    number = number + 1
    local pain, cell = line:match "^| (.-) | (.*) |$"
    if pain and pain ~= "pain" then
      list[#list + 1] = { pain = pain, cell = cell, line = number }
    end
  end
  return list
end

local function tests_in(cell)
  local found = {}
  for part in (cell .. "<br>"):gmatch "(.-)<br>" do
    local file, name = part:match "^`(%S+%.lua)`: (.+)$"
    if file then found[#found + 1] = { file, (name:gsub("\\([<|])", "%1")) } end
  end
  return found
end

local named = {}

tap.test("each test that it names is there", function()
  for _, row in ipairs(rows()) do
    for _, test in ipairs(tests_in(row.cell)) do
      local file, name = table.unpack(test)
      named[file .. name] = true
      if not (sources[file] and sources[file]:find('"' .. name, 1, true)) then
        tap.ok(false, ("line %d: %q is in %s"):format(row.line, name, file))
      end
    end
  end
  tap.ok(true)
end)

tap.test("no row is empty: it has a test, or a reason", function()
  tap.ok(#rows() > 80)
  for _, row in ipairs(rows()) do
    if #tests_in(row.cell) == 0 and not row.cell:find "^— %S" then
      tap.ok(false, ("line %d: %s"):format(row.line, row.pain))
    end
  end
end)

tap.test("each test that is named after an issue is in it", function()
  local list = process.capture { shell = "cd tests; echo supervisor/*.lua",
                                 cwd = SOURCE }
  for file in list:gmatch "%S+" do
    for name in sources[file]:gmatch 'test%(%(?%s*"([%a%d-]+#%d+: [^"]*)"' do
      tap.ok(named[file .. name], file .. ": " .. name)
    end
  end
end)

tap.done()
