-- The page docs/reference/config.md: every key of a configuration, with the
-- words that stand beside it in lua/luvisor/supervisor/schema.lua. A key that
-- is in no section here, or in no example, is an error.

local schema = require "luvisor.supervisor.schema"
local types = require "luvisor.supervisor.types"

local INTRO <const> = [[
# Every key of a configuration

What `luvisor up` reads is a Lua file. The [guide](../guide/services.md) tells
how to write one; this page has every key. `luvisor check` says what is wrong
with a file, `luvisor check --show` prints it with every default filled in.

- [What stands in the file](#what-stands-in-the-file)
- [Values](#values)]]

local FILE <const> = [[
## What stands in the file

Lua's own functions that compute (`string`, `table`, `math`, `utf8`, `os.time`,
`os.date`, `pairs`, `pcall` and so on), and these. There are no files, commands
and modules.

| | |
|---|---|
| `luvisor { … }` | settings of the whole; several are laid over each other |
| `service "name" { … }` | a service; letters, digits, `_`, `-`, `.` |
| `group "name" { … }` | how a group of services is restarted |
| `include "services.d/*.lua"` | read others here, sorted by name |
| `env("NAME", "default")` | a variable of the environment of luvisor |
| `host` | a table: `name`, `system`, `kernel`, `arch`, `cpus`, `uid` |

The evaluation is bounded in time (3 s) and memory (64 MiB).

## Values

- **duration**: seconds, as `10` or `0.5`; or `"500ms"`, `"10s"`, `"5m"`,
  `"1h30m"`, `"1d"`
- **size**: bytes; or `"64K"`, `"10M"`, `"1G"`, of 1024 each
- **signal**: `"TERM"`, `"SIGTERM"` or `15`
- **command**: a list of words `{ "redis-server", "--port", "6400" }`; a string,
  which is split into words as a shell does, with quotes but nothing else that a
  shell does; or `{ shell = "a | b > c" }`, a line for `/bin/sh`
- **path**: a relative one, also that of a command with a slash in it, starts at
  the folder of the file it stands in. Only the files of `log` start at
  `log.dir`.
- **address**: `"127.0.0.1:80"`, `"[::1]:80"`, `"localhost:80"`; `":80"` is
  `0.0.0.0`
- **function**: is called with a table of the service: `name`, `service`,
  `number`, `state`, `pid`, `restarts`, `facts`, `last_exit` and `tail(n)`, the
  last lines of its log. It runs beside all else, holds up nobody, and has a
  time limit: 1 s for `on_exit`, that of the key for others, none for `run`.

In the tables below, *change* says how a change takes effect at the next
`luvisor apply`: by a *restart* of the service, or *live*.
]]

local sections = {
  { title = "Settings", schema = "settings", head = "`luvisor { … }`",
    keys = { "state_dir", "log", "control", "defaults" }, example = [[
luvisor {
  state_dir = "/run/luvisor",
  log = { dir = "/var/log/luvisor", format = "text", level = "info" },
  control = {
    socket = "/run/luvisor/control.sock",
    allow = { status = { group = "adm" }, restart = { user = { "root" } } },
    tcp = "127.0.0.1:9100", token = "a secret of 32 letters or more …",
  },
  defaults = { stop = { grace = 20 }, env = { TZ = "UTC" } },
}]] },
  { title = "What is executed", schema = "service",
    head = "`service \"name\" { … }`",
    keys = { "command", "run", "cwd", "env", "env_file", "user", "groups",
      "umask", "nice", "limits", "oom_score_adj", "cpu_affinity",
      "no_new_privs", "pty", "stdin", "sockets", "on_supervisor_death" },
    example = [[
service "web" {
  command = { "gunicorn", "--workers", "4", "app:main" },
  cwd = "/tmp",
  env = { PORT = "8000", DISPLAY = false },
  env_file = "web.env",
  user = "www-data:www-data", groups = { "adm" },
  umask = "027",
  nice = 5,
  limits = { nofile = 4096, core = { 0, "unlimited" } },
  oom_score_adj = 200,
  cpu_affinity = { 0, 1 },
  no_new_privs = true,
  pty = false,
  stdin = "null",
  sockets = { "127.0.0.1:8000", "/run/web.sock" },
  on_supervisor_death = "kill",
}
service "nothing" { run = function(service) end }]] },
  { title = "When it runs", schema = "service",
    keys = { "type", "autostart", "instances", "requires", "wants", "after",
      "conflicts", "schedule", "main", "group" },
    example = [[
service "db" { command = "redis-server --port 6400" }
service "cache" { command = "redis-server --port 6401" }
service "migrate" { type = "oneshot", command = "true", requires = { "db" } }
service "web" {
  command = "gunicorn app:main",
  instances = 3, -- web@1, web@2, web@3
  requires = { "db", "migrate" },
  wants = { "cache" },
  after = { "backup" },
  conflicts = { "maintenance" },
  group = "front",
}
service "maintenance" {
  command = "python3 -m http.server 8000", autostart = false, group = "front",
}
service "backup" {
  type = "job", command = "tar czf /tmp/etc.tgz /etc",
  schedule = { at = "0 3 * * *", overlap = "skip", jitter = "10m" },
}
service "poll" { type = "job", command = "true", schedule = { every = "5m" } }
service "app" { command = "gunicorn app:main", main = true }]] },
  { title = "Whether it is well", schema = "service",
    keys = { "ready", "ready_timeout", "health", "watchdog" },
    example = [[
service "by-notify" { command = "sleep 60", ready = { notify = true },
                      watchdog = "30s" }
service "by-fd" { command = "sleep 60", ready = { fd = 3 } }
service "by-log" { command = "sleep 60", ready = { log = "(port=%d+)" } }
service "by-tcp" { command = "sleep 60", ready = { tcp = "127.0.0.1:80" } }
service "by-unix" { command = "sleep 60", ready = { unix = "/run/x.sock" } }
service "by-http" {
  command = "sleep 60",
  ready = { http = "http://127.0.0.1:8000/", timeout = "90s" },
  health = { http = "http://127.0.0.1:8000/", interval = 10, timeout = 2,
             failures = 3, after = "1m" },
}
service "by-command" { command = "sleep 60",
                       ready = { command = "test -e /tmp/there" },
                       ready_timeout = 20 }
service "by-delay" { command = "sleep 60", ready = { delay = "3s" } }
service "by-function" {
  command = "sleep 60",
  ready = function(service) return { port = 8000 } end, -- facts
  health = { fn = function(service) return service.restarts < 9 end },
}]] },
  { title = "What comes after its end", schema = "service",
    keys = { "restart", "success_codes", "backoff", "burst", "on_exit" },
    example = [[
service "worker" {
  command = "sleep 60",
  restart = "always",
  success_codes = { 0, 3, "TERM" },
  backoff = { initial = 0.5, factor = 1.5, max = "1m", jitter = 0.2,
              reset_after = "10m" },
  burst = { count = 10, within = "1m", retry_after = false },
  on_exit = function(service, status)
    if status.code == 78 then return "fail" end -- of its configuration
  end,
}]] },
  { title = "How it is stopped, and told", schema = "service",
    keys = { "stop", "reload", "hooks" },
    example = [[
service "web" {
  command = "gunicorn app:main",
  stop = { signal = "QUIT", grace = "30s" },
  reload = { signal = "HUP" },
  hooks = {
    pre_start = { command = { "mkdir", "-p", "/tmp/web" }, timeout = 5 },
    post_start = { fn = function(service) end, timeout = 2 },
    pre_stop = { shell = "echo bye >> /tmp/web/log" },
    post_stop = "rm -rf /tmp/web",
  },
}
service "proxy" { command = "nginx -g 'daemon off;'",
                  reload = { command = "nginx -s reload", timeout = 10 } }
service "odd" { command = "sleep 60",
                reload = { shell = "date > /tmp/told" } }
service "odder" { command = "sleep 60", reload = { fn = function() end } }]] },
  { title = "Where its output goes", schema = "service", keys = { "log" },
    example = [[
service "web" {
  command = "gunicorn app:main",
  log = { file = "web.log", max_size = "50M", keep = 10, total = "300M",
          gzip = true, timestamps = "iso", on_pressure = "block" },
}
service "two" { command = "sleep 60",
                log = { stdout = "two.out.log", stderr = "two.err.log" } }
service "far" { command = "sleep 60", log = { target = "journal" } }]] },
  { title = "Groups", schema = "group", head = "`group \"name\" { … }`",
    keys = { "strategy", "burst" }, example = [[
service "leader" { command = "sleep 60", group = "cluster" }
service "follower" { command = "sleep 60", group = "cluster" }
group "cluster" {
  strategy = "one_for_all",
  burst = { count = 5, within = "1m", retry_after = "10m" },
}]] },
}

local function sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- What a type says that it expects, if it is given what nobody writes.
local function type_text(entry)
  if entry.record then return "a table" end
  if entry.kind == types.duration then return "a duration" end
  if entry.kind == types.size then return "a size" end
  if entry.kind == types.signal then return "a signal" end
  if entry.kind == types.command then return "a command" end
  local _, text = entry.kind(io.stdout, { dir = "." })
  return (text:gsub("^one of ", ""))
end

local function size_text(bytes)
  return bytes % (1 << 20) == 0 and ("\"%dM\""):format(bytes >> 20)
    or tostring(bytes)
end

local function literal(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for _, name in ipairs(sorted(value)) do
    local one = literal(value[name])
    parts[#parts + 1] = math.type(name) and one
      or ("%s = %s"):format(name, one)
  end
  return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

local function default_text(entry)
  if entry.default == nil then return "" end
  local is_size = entry.kind == types.size
  local text = is_size and size_text(entry.default) or literal(entry.default)
  return "`" .. text .. "`"
end

local function escaped(text)
  return (text:gsub("|", "\\|"))
end

-- Whether a change restarts is a question of services only.
local function row(out, name, entry, change)
  local cells = { ("<a id=\"%s\"></a>`%s`"):format(name, name),
    type_text(entry), default_text(entry), change, entry.doc }
  for i = 1, 5 do cells[i] = escaped(cells[i] or "") end
  if not change then table.remove(cells, 4) end
  out(("| %s |"):format(table.concat(cells, " | ")))
end

-- The keys that all of a record's tables have, if they are the same.
local function common_keys(record)
  local keys
  for _, entry in pairs(record or {}) do
    keys = keys or entry.keys
    if not keys or entry.keys ~= keys then return nil end
  end
  return keys
end

local function rows(out, path, entry, change)
  row(out, path, entry, change)
  local common = common_keys(entry.record)
  local below = entry.record or entry.keys
  for _, name in ipairs(below and sorted(below) or {}) do
    local write = common and row or rows
    write(out, path .. "." .. name, below[name], change)
  end
  for _, name in ipairs(common and sorted(common) or {}) do
    row(out, path .. ".…." .. name, common[name], change)
  end
end

local function check_example(section, name)
  local word = name:match "[%w_]+$"
  if not section.example:find("%f[%w_]" .. word .. "%s*=") then
    error(("config: no example for %s in %q"):format(name, section.title))
  end
end

local function check_examples(section, path, entry)
  check_example(section, path)
  local below = entry.record or entry.keys or {}
  for name, one in pairs(below) do
    check_examples(section, path .. "." .. name, one)
  end
end

local function write_section(out, section, seen)
  local keys, is_service = schema[section.schema], section.schema == "service"
  out(("## %s\n"):format(section.title))
  if section.head then out(("Keys of %s.\n"):format(section.head)) end
  local change = is_service and { " change |", "---|" } or { "", "" }
  out(("| key | type | default |%s |\n|---|---|---|%s---|"):format(
    table.unpack(change)))
  for _, name in ipairs(section.keys) do
    local entry = keys[name] or error("config: there is no key " .. name)
    seen[section.schema .. "." .. name] = true
    check_examples(section, name, entry)
    rows(out, name, entry,
      is_service and (entry.exec and "restart" or "live") or nil)
  end
  out(("\n```lua config\n%s\n```\n"):format(section.example))
end

local function check_whole(seen)
  for _, part in ipairs { "settings", "service", "group" } do
    for name in pairs(schema[part]) do
      if not seen[part .. "." .. name] then
        error(("config: %s is in no section of tools/doc/config.lua"):format(
          name))
      end
    end
  end
end

return function()
  local parts = { "<!-- Written by tools/docs. -->" }
  local function out(text) parts[#parts + 1] = text end
  local index = { INTRO }
  for _, section in ipairs(sections) do
    local anchor = section.title:lower():gsub("[^%w ]", ""):gsub(" ", "-")
    index[#index + 1] = ("- [%s](#%s)"):format(section.title, anchor)
  end
  out(table.concat(index, "\n") .. "\n")
  out(FILE)
  local seen = {}
  for _, section in ipairs(sections) do write_section(out, section, seen) end
  check_whole(seen)
  return (table.concat(parts, "\n"):gsub("%s+$", "") .. "\n")
end
