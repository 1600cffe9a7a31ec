-- The commands as such: their help, the manual pages.
local commands = require "luvisor.cli.commands"
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local schema = require "luvisor.supervisor.schema"
local tap = require "luvisor.tap"

local is, ok, like = tap.is, tap.ok, tap.like

local LUVISOR <const> = os.getenv "LUVISOR"
local SOURCE <const> = os.getenv "LUVISOR_SOURCE"

local function run(opts)
  table.insert(opts, 1, LUVISOR)
  opts.check, opts.timeout = false, 60
  return process.run(opts)
end

tap.test("help lists all commands, each with a line", function()
  local text = run({ "-h" }).stdout
  for _, name in ipairs(commands.names) do
    like(text, "\n  " .. name:gsub("%-", "%%-") .. " +%a[^\n]+\n")
  end
end)

tap.test("each command has help with an example, by -h and by help",
  function()
    for _, name in ipairs(commands.names) do
      local r = run { name, "-h" }
      is(r.code, 0)
      like(r.stdout, "^Usage: luvisor " .. name:gsub("%-", "%%-"))
      like(r.stdout, "\nExamples?:\n   [^\n]*luvisor ")
      for line in r.stdout:gmatch "[^\n]+" do
        ok(utf8.len(line) <= 80, name .. ": " .. line)
      end
      is(run({ "help", name }).stdout, r.stdout)
    end
  end)

tap.test("each option and argument of each command is described", function()
  for _, name in ipairs(commands.names) do
    local command = commands.load(name)
    is(command.name, name)
    for _, row in ipairs(command.args) do
      ok(row.hidden or row.description, ("%s: %s"):format(name,
        row.option or row.flag or row.argument))
    end
  end
end)

tap.test("a script and -e do not load the library of the command line",
  function()
    local r = run { "-e", [[
      for name in pairs(package.loaded) do
        if name:find "argparse" or name:find "^luvisor.supervisor" then
          print(name)
        end
      end
    ]] }
    is(r.stdout .. r.stderr, "")
  end)

tap.test("the manual page has each command, and each of its options",
  function()
    local page = fs.read_file(SOURCE .. "/docs/man/luvisor.1")
    page = page:gsub("\\%-", "-")
    for _, name in ipairs(commands.names) do
      ok(page:find("%.It Cm [^\n]*%f[%w-]" .. name:gsub("%-", "%%-")
        .. "%f[^%w-]"), "luvisor.1 has " .. name)
      for _, row in ipairs(commands.load(name).args) do
        local option = (row.option or row.flag or ""):match "%S+$"
        local short = (row.option or row.flag or ""):match "^%-(%a)"
        local long = option and option:match "^%-%-(%S+)"
        ok(not option or row.hidden
          or short and page:find("Fl " .. short .. "%f[%A]")
          or long and page:find("Fl Fl " .. long, 1, true),
          ("luvisor.1 has %s of %s"):format(option, name))
      end
    end
  end)

tap.test("the manual page has each exit code of commands", function()
  local page = fs.read_file(SOURCE .. "/docs/man/luvisor.1")
  local part = page:match "\nOf commands:\n(.-)\n%.Sh "
  for code = 0, 5 do
    ok(part:find("\n.It " .. code .. "\n", 1, true), "exit code " .. code)
  end
end)

local function check_keys(page, keys, path)
  for key, entry in pairs(keys) do
    ok(page:find("Va [^\n]*%f[%w_]" .. key .. "%f[^%w_]"),
      "luvisor.lua.5 has " .. path .. key)
    if entry.record then check_keys(page, entry.record, path .. key .. ".") end
  end
end

tap.test("the manual page of the configuration has each key", function()
  local page = fs.read_file(SOURCE .. "/docs/man/luvisor.lua.5")
  check_keys(page, schema.settings, "")
  check_keys(page, schema.service, "")
  check_keys(page, schema.group, "")
end)

tap.done()
