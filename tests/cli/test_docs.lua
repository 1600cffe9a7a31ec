-- The documentation says what is so: each ```lua block of README.md, docs/guide
-- and docs/reference runs, and prints what the ```output block after it shows.
--
-- ```lua          runs as a script of its own and exits with 0; in the
--                 reference, with the modules as local variables
-- ```lua exit 3   exits with 3
-- ```lua norun    is not run
-- ```lua config, ```lua wrong, ```console   see test_docs_services.lua
-- ```output       stdout and stderr of the block before; "…" is any text
-- ```c FILE       in docs/tour.md: these lines stand so in FILE
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local LUVISOR = os.getenv "LUVISOR"
local SOURCE = os.getenv "LUVISOR_SOURCE"
local pages = dofile(SOURCE .. "/tests/support/pages.lua")
local TMP = (os.getenv "TMPDIR" or "/tmp") .. "/luvisor-docs"
local SECONDS <const> = 30 -- that one example may take
local PRELUDE <const> = [[local lv = require "luvisor"
local process, task, stream, sync, signal, time, errors = lv.process,
  lv.task, lv.stream, lv.sync, lv.signal, lv.time, lv.error
local expect, fs, http = lv.expect, lv.fs, lv.http
local net, pool = lv.net, lv.pool
]]

local blocks_of, list = pages.blocks_of, pages.list

local not_run = { norun = true, config = true, wrong = true }

-- The blocks to run, each with its exit code and what it prints.
local function examples_of(file)
  local blocks, examples = blocks_of(file), {}
  for i, block in ipairs(blocks) do
    local code = block.info == "lua" and "0"
      or block.info:match "^lua exit (%d+)$"
    if code then
      block.code = tonumber(code)
      local after = blocks[i + 1]
      block.output = after and after.info == "output" and after.text or nil
      examples[#examples + 1] = block
    elseif block.info:find "^lua" and not not_run[block.info:match "^lua (%a+)"]
    then
      error(("%s:%d: what is %q?"):format(file, block.line, block.info))
    end
  end
  return examples
end

local function write_script(example, dir)
  local file <close> = assert(io.open(dir .. "/example.lua", "wb"))
  if example.file:find "reference" then file:write(PRELUDE) end
  file:write(example.text)
end

-- Options of process.run for an example, in a directory of its own.
local function run_options(example, index)
  local dir = TMP .. "/" .. index
  process.run { "mkdir", "-p", dir }
  write_script(example, dir)
  return { LUVISOR, "example.lua", cwd = dir, stderr = "stdout",
           check = false, timeout = SECONDS }
end

local function judge(example, result)
  if getmetatable(result).__name ~= "luvisor.Result" then
    return tap.ok(false, "it ends: " .. tostring(result))
  end
  tap.is(result.returncode, example.code, "the exit code")
  if example.output then
    tap.like(result.stdout, pages.pattern_of(example.output), "the output")
  elseif example.code == 0 then
    tap.ok(not result.stdout:find "luvisor: ", "it prints no complaint")
  end
  if result.returncode ~= example.code then tap.is(result.stdout, "") end
end

local files = list "ls README.md docs/guide/*.md docs/reference/*.md"
local examples = {}
for _, page in ipairs(files) do
  for _, example in ipairs(examples_of(page)) do
    examples[#examples + 1] = example
  end
end
local results = process.map(examples, run_options, {
  fail_fast = false, jobs = 4, -- they mostly wait
})

for i, example in ipairs(examples) do
  local name = ("%s:%d does what it says"):format(example.file, example.line)
  tap.test(name, function() judge(example, results[i]) end)
end

tap.test("the tour quotes the source as it is", function()
  for _, block in ipairs(blocks_of "docs/tour.md") do
    local file = block.info:match "^c (%S+)$"
    if file then
      local found = pages.read(file):find(block.text, 1, true)
      tap.ok(found, ("docs/tour.md:%d is in %s"):format(block.line, file))
    end
  end
end)

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

-- The anchors of a page: its headings, as GitHub names them.
local function anchors_of(file)
  local anchors, fenced = {}, false
  for line in io.lines(file) do
    if line:find "^```" then fenced = not fenced end
    for id in line:gmatch '<a id="(.-)">' do anchors[id] = true end
    local title = not fenced and line:match "^#+ +(.*)"
    if title then
      local plain = title:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-")
      anchors[plain] = true
    end
  end
  return anchors
end

-- A page's links into the tree.
local function check_links(page)
  local folder = page:match "^.*/" or ""
  for target in pages.read(page):gmatch "%]%(([^)%s]+)%)" do
    local path, anchor = target:match "^([^#]*)#?(.*)$"
    local file = SOURCE .. "/" .. (path == "" and page or folder .. path)
    if not target:find "^%a+:" then
      local there = exists(file) and (anchor == "" or anchors_of(file)[anchor])
      tap.ok(there, ("%s links to %s"):format(page, target))
    end
  end
end

tap.test("each link leads to a file", function()
  local found = list "find . -name '*.md' -not -path './build/*' | sort"
  for _, page in ipairs(found) do check_links(page:sub(3)) end
end)

process.run { "rm", "-rf", TMP }
tap.done()
