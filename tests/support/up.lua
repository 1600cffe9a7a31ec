-- A `luvisor up` of its own for a test: its configuration, its commands, what
-- it writes, and whether anything is left of it at the end.
-- local ups = dofile(SOURCE .. "/tests/support/up.lua")

local fs = require "luvisor.fs"
local json = require "luvisor.json"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local M = {}

local LUVISOR <const> = assert(os.getenv "LUVISOR", "LUVISOR is not set")

local Up = {}
Up.__index = Up

local HEAD <const> = [[
luvisor { state_dir = "state", log = { dir = "log" },
  defaults = { stop = { grace = 20 }, backoff = { initial = 0.02 } } }
]]

--- Start one.
-- @tparam ?string text the services of its configuration
-- @tparam[opt] table opts env, a function is called with the folder; head:
-- instead of the usual settings; path: another configuration; limits: its own
-- @return an object for <close>: dir, path, process
function M.start(text, opts)
  opts = opts or {}
  local dir = fs.mkdtemp { prefix = "up-" }
  local self = setmetatable({
    dir = dir, path = opts.path or dir .. "/luvisor.lua",
    head = opts.head or HEAD, env = { LUVISOR_TEST = dir },
  }, Up)
  if text then self:edit(text) end
  local more = opts.env or {}
  if type(more) == "function" then more = more(dir) end
  for name, value in pairs(more) do self.env[name] = value end
  self.process = process.spawn {
    LUVISOR, "up", "-c", self.path, cwd = dir, env = self.env,
    stdout = { file = dir .. "/out" }, stderr = { file = dir .. "/err" },
    stop = { grace = 30 }, limits = opts.limits,
  }
  return self
end

--- Write other services into its configuration.
function Up:edit(text)
  fs.write_file(self.path, self.head .. text)
end

--- What it has written so far.
function Up:err()
  return fs.read_file(self.dir .. "/err")
end

--- The lines of a file of its folder; none, if it is not there.
function Up:lines(name)
  local lines = {}
  local path = self.dir .. "/" .. name
  if not fs.exists(path) then return lines end
  for line in fs.read_file(path):gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

--- Wait until it has written this (a pattern).
function Up:says(pattern, name)
  local seen = tap.eventually(function() return self:err():find(pattern) end,
    20, name or "it says " .. pattern)
  if not seen then tap.is(self:err(), "") end
end

--- Run a command of luvisor that finds it by its configuration.
-- @treturn Result
function Up:run(words, opts)
  local env = { LUVISOR_CONFIG = self.path,
                LUVISOR_EXAMPLE = self.env.LUVISOR_EXAMPLE }
  local options = { LUVISOR, cwd = self.dir, check = false, timeout = 60,
                    env = env }
  for name, value in pairs(opts or {}) do options[name] = value end
  return process.run(table.move(words, 1, #words, 2, options))
end

local function split(line)
  local words = {}
  for word in line:gmatch "%S+" do words[#words + 1] = word end
  return words
end

--- The same, in words.
-- @tparam string line the words, parted by blanks
-- @treturn Result
function Up:command(line, opts)
  return self:run(split(line), opts)
end

--- The same; it must end with this exit code.
-- @tparam string line the words, parted by blanks
-- @tparam[opt=0] integer code
-- @tparam[opt] table opts
-- @treturn Result
function Up:luvisor(line, code, opts)
  local result = self:run(split(line), opts)
  tap.is(result.code, code or 0, "luvisor " .. line)
  return result
end

--- What it then says on standard error is one line, which matches.
function Up:refuses(line, code, pattern, opts)
  local result = self:luvisor(line, code, opts)
  tap.is(result.stdout, "", "nothing on standard output")
  tap.like(result.stderr, "^luvisor: " .. pattern)
  return result
end

--- Start a command and leave it running; its stdout is a pipe.
-- @treturn Process with <close>
function Up:follow(line)
  local words = { LUVISOR, cwd = self.dir, stdout = "pipe", stderr = "pipe",
                  env = { LUVISOR_CONFIG = self.path } }
  local more = split(line)
  return process.spawn(table.move(more, 1, #more, 2, words))
end

--- Run a script of bash; luvisor is "$LUVISOR", and finds this one.
function Up:bash(script)
  return process.run { "bash", "-c", script, cwd = self.dir, check = false,
    timeout = 60, env = { LUVISOR_CONFIG = self.path, LUVISOR = LUVISOR } }
end

--- The same; what it prints as JSON.
function Up:json(words)
  words = table.move(words, 1, #words, 1, {})
  words[#words + 1] = "--json"
  return json.decode(self:run(words).stdout, { nulls = false })
end

--- The status of one instance.
function Up:status(name)
  local answer = self:json { "status", name }
  return answer.services[1]
end

--- Wait until the status of an instance is so.
function Up:until_so(name, is_so, text)
  local seen = tap.eventually(function()
    local status = self:status(name)
    return is_so(status) and status
  end, 20, text or name .. " gets there")
  if not seen then tap.is(self:err(), "") end
  return seen
end

-- Whose environment, at the exec, had this.
local function has_env(pid, text)
  local file <close> = io.open(("/proc/%s/environ"):format(pid))
  local environ = file and file:read "a"
  return environ and ("\0" .. environ .. "\0"):find("\0" .. text .. "\0", 1,
    true) ~= nil
end

--- The processes that it has started, and that are still there.
-- @treturn {string,...} pids
function Up:processes()
  local list = {}
  for _, entry in ipairs(fs.scandir "/proc") do
    local name = entry.name
    local is_own = tonumber(name) == self.process.pid
    if name:find "^%d+$" and not is_own
      and has_env(name, "LUVISOR_TEST=" .. self.dir) then
      list[#list + 1] = name
    end
  end
  return list
end

--- Ask it to end, and wait for that; nothing may be left.
-- @treturn Status
function Up:stop(sig)
  if not self.process.status then self.process:send_signal(sig or "TERM") end
  return self:ended()
end

--- Wait for its end; nothing may be left.
function Up:ended()
  local status = self.process:wait(30)
  tap.eventually(function() return #self:processes() == 0 end, 10,
    "no process is left")
  return status
end

--- End it, however it is, and remove its folder.
function Up:close()
  if not self.process.status then self.process:stop { grace = 20 } end
  for _, pid in ipairs(self:processes()) do
    process.run { "kill", "-9", pid, check = false }
  end
  fs.remove(self.dir, { recursive = true })
end

Up.__close = Up.close

return M
