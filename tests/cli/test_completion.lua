-- luvisor completion: what the shells offer, asked in the shells themselves.
local commands = require "luvisor.cli.commands"
local expect = require "luvisor.expect"
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local is, ok, like = tap.is, tap.ok, tap.like

local LUVISOR <const> = os.getenv "LUVISOR"
local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local ups = dofile(SOURCE .. "/tests/support/up.lua")

-- In it, "luvisor" is the program that is tested, and c.lua a configuration.
local dir = fs.mkdtemp()
fs.symlink(LUVISOR, dir .. "/luvisor")
fs.write_file(dir .. "/c.lua", [[
  luvisor { state_dir = "." }
  service "web" { command = "true" } service "worker" { command = "true" }
]])
local env = { PATH = dir .. ":" .. os.getenv "PATH", HOME = dir, TERM = "dumb",
              LC_ALL = "C.UTF-8", XDG_CONFIG_HOME = dir, XDG_DATA_HOME = dir,
              XDG_CACHE_HOME = dir, XDG_RUNTIME_DIR = dir }

local function has(shell)
  if not process.which(shell) then tap.skip("there is no " .. shell) end
end

local function sorted(text)
  local words = {}
  for word in text:gmatch "[^%s]+" do words[#words + 1] = word end
  table.sort(words)
  return table.concat(words, " ")
end

-- What is offered for the last of these words.
local offered = {
  [""] = sorted(table.concat(commands.names, " ")),
  st = "start status stop",
  ["start -c c.lua wo"] = "worker",
  ["start -c c.lua "] = "web worker",
  ["logs -f --config c.lua we"] = "web",
  ["wait -c c.lua web rea"] = "ready",
  ["apply --so"] = "--socket",
  ["completion z"] = "zsh",
  ["signal -c c.lua US"] = "USR1 USR2",
}

local function words_of(line)
  local words = { "luvisor" }
  for word in line:gmatch "%S+" do words[#words + 1] = word end
  if line == "" or line:find "%s$" then words[#words + 1] = "" end
  return words
end

local BASH <const> = [[
  eval "$(luvisor completion bash)"
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  COMPREPLY=()
  "$(complete -p luvisor | sed 's/.*-F \([^ ]*\).*/\1/')"
  echo "${COMPREPLY[@]}"
]]

local function in_bash(words)
  local options = { "bash", "-c", BASH, "bash", cwd = dir, env = env }
  return sorted(process.capture(table.move(words, 1, #words, 5, options)))
end

tap.test("bash completes commands, options and names of services", function()
  has "bash"
  for line, words in pairs(offered) do
    local got = in_bash(words_of(line))
    if line == "" then got = got:gsub("%f[%S]%-%S+ ", "") end -- and the options
    is(got, words, "luvisor " .. line)
  end
  is(in_bash { "luvisor", "start", "--config", "=", "c.lua", "we" }, "web")
end)

tap.test("fish completes commands, options and names of services", function()
  has "fish"
  for line, words in pairs(offered) do
    local text = process.capture { "fish", "--no-config", "-c", [[
      luvisor completion fish | source
      complete -C "luvisor $argv[1]" | string replace -r '\t.*' ''
      true]], line,
      cwd = dir, env = env }
    if line ~= "" then is(sorted(text), words, "luvisor " .. line) end
  end
end)

tap.test("zsh completes commands, options and names of services", function()
  has "zsh"
  process.run { "sh", "-c", "luvisor completion zsh > _luvisor", cwd = dir,
                env = env }
  local zsh <close> = expect.spawn { "zsh", "-f", "-i", cwd = dir, env = env,
    pty = { rows = 50, cols = 200 } }
  zsh:send("PS1='> '; fpath=($PWD $fpath); autoload -Uz compinit; "
    .. "compinit -u -D; unsetopt BEEP; setopt NO_LIST_BEEP; echo rea''dy\r")
  zsh:expect "\nready"
  local unique = { ["luvisor versi"] = "version", ["luvisor apply --so"] =
    "%-%-socket", ["luvisor start -c c.lua wo"] = "worker",
    ["luvisor completion z"] = "zsh", ["luvisor wait -c c.lua web rea"] =
    "ready" }
  for line, whole in pairs(unique) do
    zsh:send(line .. "\t")
    zsh:expect(whole .. " ")
    zsh:send "\21" -- forget the line
  end
  zsh:send "luvisor start -c c.lua \t\t"
  zsh:expect "web +worker"
  zsh:send "\21"
  zsh:send "exit\r"
end)

tap.test("each shell reads its script without complaint", function()
  for _, shell in ipairs { "bash", "zsh", "fish" } do
    local r = process.run { LUVISOR, "completion", shell }
    ok(r.stdout:find "completion %-%-names", "it asks for names")
    for _, name in ipairs(commands.names) do
      ok(r.stdout:find(name, 1, true), shell .. " has " .. name)
    end
    if process.which(shell) then
      local checked = process.run { shell, "-n", input = r.stdout,
                                    check = false, env = env }
      is(checked.stderr, "", shell)
    end
  end
  for _, words in ipairs { { "completion" }, { "completion", "tcsh" } } do
    is(process.run({ LUVISOR, words[1], words[2], check = false }).code, 2)
  end
end)

tap.test("names are those of the supervisor, if it runs", function()
  local up <close> = ups.start [[
    service "web" { command = "sleep 1000", instances = 2 } ]]
  up:says "is controlled"
  up:edit [[ service "other" { command = "true" } ]]
  is(up:luvisor("completion --names").stdout, "web\nweb@1\nweb@2\n")
  up:stop()
  is(up:luvisor("completion --names").stdout, "other\n")
  fs.write_file(up.path, "x x")
  local r = up:luvisor("completion --names", 1)
  is(r.stdout, "")
  like(r.stderr, "luvisor%.lua:1: ")
end)

fs.remove(dir, { recursive = true })
tap.done()
