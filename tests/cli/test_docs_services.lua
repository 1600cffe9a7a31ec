-- The documentation of the supervisor says what is so.
--
-- ```lua config        is a configuration without errors, for who has the
--                      programs in it
-- ```lua config NAME   and the file NAME of the page's sessions
-- ```lua wrong NAME    is such a file, and has errors
-- ```console           a session: what stands behind "$" prints what follows,
--                      in which "…" is any text
-- ```console up        `luvisor up`, which runs until the end of the page
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local schema = require "luvisor.supervisor.schema"
local tap = require "luvisor.tap"

local LUVISOR = assert(os.getenv "LUVISOR")
local SOURCE = assert(os.getenv "LUVISOR_SOURCE")
local pages = dofile(SOURCE .. "/tests/support/pages.lua")

-- Programs that examples use and that need not be installed.
local PROGRAMS <const> = { "redis-server", "nginx", "gunicorn", "pg_isready",
  "node", "postgres", "python3", "curl", "systemd-notify" }

-- A folder for a page, with a PATH in which all that it needs is found.
local function open_page(file)
  local page = { file = file, exports = "", dir = fs.mkdtemp {
    prefix = "docs-" } }
  fs.mkdir(page.dir .. "/bin")
  fs.mkdir(page.dir .. "/work")
  fs.symlink(LUVISOR, page.dir .. "/bin/luvisor")
  for _, name in ipairs(PROGRAMS) do
    if not process.which(name) then
      fs.symlink("/bin/true", page.dir .. "/bin/" .. name)
    end
  end
  page.env = { PATH = page.dir .. "/bin:" .. os.getenv "PATH" }
  page.work = page.dir .. "/work"
  return setmetatable(page, { __close = function()
    if page.up then page.up:stop { grace = 20 } end
    fs.remove(page.dir, { recursive = true })
  end })
end

local function run(page, shell)
  return process.run { shell = page.exports .. shell, cwd = page.work,
    env = page.env, stderr = "stdout", check = false, timeout = 60 }.stdout
end

-- The commands of a block, each with what it prints.
local function steps_of(block)
  local steps = {}
  for _, line in ipairs(block.lines) do
    local command = line:match "^%$ (.*)"
    if command then
      steps[#steps + 1] = { command = command, lines = {} }
    else
      table.insert(steps[#steps].lines, line)
    end
  end
  return steps
end

-- What only looks may look again: the truth may take a moment.
local looks = { status = true, logs = true, events = true, tree = true }

local function take_step(page, block, step)
  if step.command:find "^export " then
    page.exports = page.exports .. step.command .. "\n"
    return
  end
  local pattern = pages.pattern_of(table.concat(step.lines, "\n"))
  local name = ("%s:%d: %s"):format(block.file, block.line, step.command)
  local out
  local function is_so()
    out = run(page, step.command)
    return out:find(pattern) ~= nil
  end
  local ok
  if looks[step.command:match "^luvisor (%a+)"] then
    ok = tap.eventually(is_so, 20, name)
  else
    ok = tap.ok(is_so(), name)
  end
  if not ok then tap.is(out, table.concat(step.lines, "\n")) end
end

local function start_up(page, block)
  local step = steps_of(block)[1]
  local err = page.dir .. "/err"
  local options = process.split(step.command)
  options.cwd, options.env, options.stderr = page.work, page.env, { file = err }
  page.up = process.spawn(options)
  local pattern = pages.pattern_of(table.concat(step.lines, "\n"))
  local ok = tap.eventually(function()
    return fs.read_file(err):find(pattern) ~= nil
  end, 20, ("%s:%d: luvisor up"):format(block.file, block.line))
  if not ok then
    error("it does not come up: " .. fs.read_file(err), 0)
  end
end

local takes = {}

function takes.config(page, block, name)
  fs.write_file(page.work .. "/" .. (name or "example.lua"), block.text)
  local said = run(page, "luvisor check " .. (name or "example.lua"))
  tap.like(said, "no errors", ("%s:%d"):format(block.file, block.line))
end

function takes.wrong(page, block, name)
  fs.write_file(page.work .. "/" .. (name or "example.lua"), block.text)
  local said = run(page, "luvisor check " .. (name or "example.lua"))
  tap.ok(not said:find "no errors", ("%s:%d"):format(block.file, block.line))
end

local function take_block(page, block)
  local kind, name = block.info:match "^lua (%a+) ?(%S*)$"
  if takes[kind] then
    return takes[kind](page, block, name ~= "" and name or nil)
  elseif block.info == "console up" then
    start_up(page, block)
  elseif block.info == "console" then
    for _, step in ipairs(steps_of(block)) do take_step(page, block, step) end
  end
end

for _, file in ipairs(pages.list "ls docs/guide/*.md docs/reference/*.md") do
  local blocks, n = pages.blocks_of(file), 0
  for _, block in ipairs(blocks) do
    local is_ours = block.info:find "^console" or block.info:find "^lua config"
    if is_ours then n = n + 1 end
  end
  if n > 0 then
    tap.test(file .. ": its configurations and sessions", function()
      local page <close> = open_page(file)
      for _, block in ipairs(blocks) do take_block(page, block) end
      if not page.up then return end
      if not page.up.status then page.up:send_signal "TERM" end
      tap.is(page.up:wait(30).code, 0, "luvisor up ends well")
    end)
  end
end

-- Calls fn with the path and the last word of each key of a schema.
local function each_key(keys, path, fn)
  for name, entry in pairs(keys) do
    fn(path .. name, name)
    each_key(entry.record or entry.keys or {}, path .. name .. ".", fn)
  end
end

tap.test("every key is in the reference and in the manual page", function()
  local reference = pages.read "docs/reference/config.md"
  local manual = pages.read "docs/man/luvisor.lua.5"
  for _, part in ipairs { "settings", "service", "group" } do
    each_key(schema[part], "", function(path, name)
      local of_all = path:gsub("^(hooks)%.[%w_]+%.", "%1.….")
      tap.ok(reference:find("`" .. of_all .. "`", 1, true),
        "the reference has " .. of_all)
      tap.ok(manual:find("%f[%w_]" .. name .. "%f[^%w_]"),
        "luvisor.lua(5) has " .. path)
    end)
  end
end)

tap.done()
