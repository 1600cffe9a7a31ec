-- docs/reference/asyncio.md says which of our tests follows which of Python's.
-- That it is true: each test that it names is there, each of ours that is named
-- after one of Python's stands in it, no row is empty, the counts are right.
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local PAGE <const> = SOURCE .. "/docs/reference/asyncio.md"
local RULES <const> = 33

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

-- A test file's text, with strings that go over several lines in one piece.
local function source_of(file)
  local text = read(("%s/tests/%s"):format(SOURCE, file))
  return text and text:gsub('"%s*%.%.%s*"', "")
end

local sources = setmetatable({}, {
  __index = function(t, file)
    t[file] = source_of(file) or false
    return t[file]
  end,
})

local function is_there(file, name)
  local literal = '"' .. name:gsub('["\\]', "\\%0") .. '"'
  return sources[file] and sources[file]:find(literal, 1, true) ~= nil
end

-- The tests that a cell names, as { file, name }, or nil if it names none.
local function tests_in(cell)
  local found = {}
  for part in (cell .. "<br>"):gmatch "(.-)<br>" do
    local file, name = part:match "^`(%S+%.lua)`: (.+)$"
    if not file then return nil end
    if not file:find("/", 1, true) then file = "conformance/" .. file end
    found[#found + 1] = { file, (name:gsub("\\<", "<")) }
  end
  return found
end

-- The rows of the page, each with its title, number of line and cells; and what
-- each section says of their number.
local function parse()
  local rows, sections, title, number = {}, {}, nil, 0
  local text = ""
  for line in io.lines(PAGE) do
    number = number + 1
    text = text .. line .. " "
    if line:find "^##? " then
      title, text = line:match "^#+ (.*)", ""
    elseif line:find "^|%-" then
      rows[#rows] = nil -- what stands above it is the table's head
    elseif line:find "^|" then
      local cells = {}
      for cell in line:sub(2):gmatch "([^|]*)|" do
        cells[#cells + 1] = cell:match "^%s*(.-)%s*$"
      end
      rows[#rows + 1] = { title = title, line = number, cells = cells }
    end
    local all, ours = text:match "(%d+) %a+, (%d+) of them with a test of ours"
    if all then sections[title] = { tonumber(all), tonumber(ours) } end
  end
  return rows, sections
end

local rows, sections = parse()

local function where(row)
  return ("line %d, %s"):format(row.line, row.cells[1])
end

-- Both of a rule's cells may say where it is tested.
local named = {}
for _, row in ipairs(rows) do
  for i = 2, 3 do
    for _, test in ipairs(tests_in(row.cells[i]) or {}) do
      named[test[1]] = named[test[1]] or {}
      named[test[1]][test[2]] = row
    end
  end
end

tap.test("each test that it names is there", function()
  tap.ok(#rows > 900, #rows .. " rows are found")
  for file, names in pairs(named) do
    for name, row in pairs(names) do
      if not is_there(file, name) then
        tap.ok(false, ("%s: %q is in %s"):format(where(row), name, file))
      end
    end
  end
end)

tap.test("no row is empty", function()
  for _, row in ipairs(rows) do
    local test, ours, difference = table.unpack(row.cells)
    local good = #row.cells == 3 and test ~= "" and (tests_in(ours)
      or ours == "—" and difference ~= ""
      or row.title == "Rules" and ours:find "^— ")
    if not good then tap.ok(false, where(row) .. ": has a test or a reason") end
  end
  tap.ok(true)
end)

tap.test("each section counts its rows", function()
  local counted, total = {}, { 0, 0 }
  for _, row in ipairs(rows) do
    if row.title ~= "Rules" then
      local count = counted[row.title] or { 0, 0 }
      counted[row.title] = count
      local ours = row.cells[2] == "—" and 0 or 1
      count[1], count[2] = count[1] + 1, count[2] + ours
      total[1], total[2] = total[1] + 1, total[2] + ours
    end
  end
  counted["Python's tests and ours"] = total
  tap.is_deeply(sections, counted)
end)

tap.test("each rule is there", function()
  for i = 1, RULES do
    local found = false
    for _, row in ipairs(rows) do
      found = found or row.cells[1] == ("[S%d](../asyncio-rules.md#s%d)")
        :format(i, i)
    end
    tap.ok(found, "S" .. i)
  end
end)

tap.test("each test of ours that is named after one of Python's is in it",
function()
  local list = process.capture { shell = "cd tests; echo conformance/*.lua",
                                 cwd = SOURCE }
  for file in list:gmatch "%S+" do
    local names = named[file] or {}
    for name in sources[file]:gmatch 'test%(%s*"(test_[^"]*)"' do
      if not names[name] then
        tap.ok(false, ("%s: %q is in docs/reference/asyncio.md"):format(file,
          name))
      end
    end
  end
  tap.ok(true)
end)

tap.done()
