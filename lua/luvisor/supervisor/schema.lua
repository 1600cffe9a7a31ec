--- The keys of a configuration as data: type, default, what it means, and
-- whether a change of it changes what is executed. `luvisor check --show` and
-- docs/reference/config.md are made of it, too.
-- @module luvisor.supervisor.schema

local checker = require "luvisor.supervisor.checker"
local groups = require "luvisor.supervisor.groups"
local probes = require "luvisor.supervisor.probetypes"
local schedules = require "luvisor.supervisor.scheduletype"
local types = require "luvisor.supervisor.types"

local M = {}

local huge = math.maxinteger

-- `keys` are those of its value, if that is a table that its type checks.
local function key(kind, default, doc, keys)
  return { kind = kind, default = default, doc = doc, keys = keys }
end

-- A change of it takes effect by a restart.
local function exec(kind, default, doc, keys)
  return { kind = kind, default = default, doc = doc, keys = keys, exec = true }
end

-- A table of keys of its own, all with defaults.
local function record(keys, doc)
  return { record = keys, doc = doc }
end

M.backoff = {
  initial = key(types.duration, 0.2, "the delay before the first restart"),
  factor = key(types.number(1, 100), 2, "by which it grows each time"),
  max = key(types.duration, 30, "the longest delay"),
  jitter = key(types.number(0, 1), 0.1, "a random part of the delay is added "
    .. "or taken away, at most this"),
  reset_after = key(types.duration, 60, "after a run this long, if it got "
    .. "ready, the delays begin anew"),
}

M.burst = {
  count = key(types.integer(1, huge), 5, "starts that are allowed …"),
  within = key(types.duration, 30, "… within this time; instead of the next "
    .. "the service is failed"),
  retry_after = key(types.duration_or_false, 300, "then it is tried again; "
    .. "false: it is not"),
}

M.stop = {
  signal = key(types.signal, "TERM", "is sent to all its processes"),
  grace = key(types.duration, 10, "what is left after it is killed"),
}

M.log = {
  target = key(types.one_of("file", "journal", "syslog", "null", "inherit"),
    "file", "where the output goes; inherit: to luvisor's own"),
  file = key(types.string, nil, "the file of both streams, in log.dir unless "
    .. "it begins with /; default: the instance's name and .log"),
  stdout = key(types.string, nil, "a file for standard output alone"),
  stderr = key(types.string, nil, "a file for standard error alone"),
  max_size = key(types.size, 10 << 20, "a file this big is rotated, between "
    .. "two lines"),
  keep = key(types.integer(0, 1000), 5, "so many rotated files are kept"),
  total = key(types.size, nil, "the oldest rotated files go when all of them "
    .. "are bigger than this; default: no limit"),
  gzip = key(types.boolean, false, "compress rotated files"),
  timestamps = key(types.either(types.one_of("iso", "unix"), types.boolean),
    false, "before each line; true is iso"),
  on_pressure = key(types.one_of("block", "drop"), "block", "when the disk is "
    .. "full or slow: the service waits, or lines are left out and counted"),
}

M.hooks = {
  pre_start = key(probes.hook, nil, "before each start; its failure is one of "
    .. "the start", probes.hook_keys),
  post_start = key(probes.hook, nil, "when it is ready", probes.hook_keys),
  pre_stop = key(probes.hook, nil, "before it is asked to end",
    probes.hook_keys),
  post_stop = key(probes.hook, nil, "when nothing of it is left",
    probes.hook_keys),
}

local user_id = types.either(types.string, types.integer(0, 1 << 31))

M.service = {
  type = key(types.one_of("daemon", "oneshot", "job"), "daemon",
    "a daemon runs on; a oneshot runs once and is done, which counts as "
    .. "ready; a job runs at its times"),
  command = exec(types.command, nil, "what is executed"),
  run = exec(types.fn, nil, "instead of a command, a Lua function: the service "
    .. "is a task of luvisor's; for scripts, as one of a file can but compute"),
  cwd = exec(types.path, nil, "working directory; default: the folder of the "
    .. "file"),
  env = exec(types.env, {}, "laid over luvisor's environment; false takes a "
    .. "variable away; { fact = \"db.port\" }, also as a word of a command, is "
    .. "what db, which it requires, has said of itself"),
  env_file = exec(types.path, nil, "a file of lines NAME=value, below env, "
    .. "read at each start"),
  user = exec(user_id, nil, "name, name:group or number; default: luvisor's"),
  groups = exec(types.list(user_id, "a list of groups"), nil, "further Unix "
    .. "groups; default: those of the user"),
  umask = exec(types.octal, nil, "as \"022\"; default: luvisor's"),
  nice = exec(types.integer(-20, 19), nil, "its priority"),
  limits = exec(types.limits, nil, "soft and hard limits of setrlimit(2)"),
  oom_score_adj = exec(types.integer(-1000, 1000), nil, "for the out-of-memory "
    .. "killer, see proc(5)"),
  cpu_affinity = exec(types.list(types.integer(0, 4095),
    "a list of processors"), nil, "the processors it runs on, from 0"),
  no_new_privs = exec(types.boolean, nil, "no set-user-ID program gives it "
    .. "more rights"),
  pty = exec(types.boolean, nil, "it has a pseudo-terminal of its own, as its "
    .. "output, and its input unless stdin says otherwise"),
  stdin = exec(types.one_of("null", "inherit"), nil, "its standard input; "
    .. "default: null, or its terminal with pty"),
  autostart = key(types.boolean, true, "start it with luvisor; false: by hand, "
    .. "or when it is required"),
  main = key(types.boolean, false, "when it has ended for good, luvisor stops "
    .. "all and exits with its code, or 128 + n for a signal"),
  requires = key(types.names, {}, "they are started with it and ready before "
    .. "it; when one stops, it stops before, and comes back after"),
  wants = key(types.names, {}, "if they are to start, they are ready or have "
    .. "failed before it"),
  after = key(types.names, {}, "the same; a word for an order alone"),
  conflicts = key(types.names, {}, "they are stopped when it is started"),
  restart = key(types.one_of("always", "on-failure", "never"), nil,
    "after its end; default: on-failure for daemons, never for others"),
  success_codes = key(types.codes, { 0 }, "exit codes and signals that are no "
    .. "failure"),
  backoff = record(M.backoff, "the delays between restarts"),
  burst = record(M.burst, "how many starts are too many"),
  ready = exec(probes.ready, nil, "when it is ready; default: as soon as it is "
    .. "executed", probes.ready_keys),
  ready_timeout = key(types.duration, nil, "it must be ready by then, or is "
    .. "stopped, which counts as a failure; default: 60; of a oneshot, whose "
    .. "run it limits: none"),
  health = key(probes.health, nil, "a question that is asked again and again "
    .. "while it runs", probes.health_keys),
  watchdog = exec(types.duration, nil, "it must send WATCHDOG=1, as with "
    .. "sd_notify(3), at least so often"),
  stop = record(M.stop, "how it is stopped"),
  reload = key(probes.reload, { signal = "HUP" }, "how it is told to read its "
    .. "own configuration again", probes.reload_keys),
  log = record(M.log, "where its output goes"),
  hooks = record(M.hooks, "commands or functions around its life"),
  on_exit = key(types.fn, nil, "is asked after an end that nobody asked for; "
    .. "returns \"restart\", \"stop\", \"fail\", or nil for what the other "
    .. "keys say"),
  on_supervisor_death = exec(types.one_of("kill", "survive"), "kill",
    "what becomes of it if luvisor is killed by kill -9; the next luvisor does "
      .. "not know one that survives, and starts another"),
  schedule = key(schedules.schedule, nil, "when a job runs; without one, by "
    .. "run-job alone", schedules.keys),
  instances = key(types.integer(0, 10000), nil, "so many of it run, as name@1 "
    .. "and so on, each with LUVISOR_INSTANCE; default: one, without a number"),
  sockets = exec(types.list(probes.socket, "a list as { \"127.0.0.1:80\" }"),
    nil, "opened by luvisor, kept over restarts, passed as LISTEN_FDS from "
    .. "descriptor 3"),
  group = key(types.string, nil, "the group that it is restarted with"),
}

M.group_burst = {
  count = key(types.integer(0, huge), 5, "restarts of its members that are "
    .. "allowed …"),
  within = key(types.duration, 30, "… within this time"),
  retry_after = key(types.duration_or_false, 300, "then they are tried again; "
    .. "false: they are not"),
}

local function group_burst(value, context)
  if type(value) ~= "table" then
    return nil, "a table as { count = 5, within = \"30s\" }"
  end
  local burst, why = checker.fields(value, M.group_burst, context)
  if not burst then return nil, why, true end
  return burst
end

M.group = {
  strategy = key(function(value)
    if type(value) == "string" and groups.is_strategy(value) then
      return value
    end
    return nil, "one of \"one_for_one\", \"one_for_all\", \"rest_for_one\""
  end, "one_for_one", "who is restarted when one of the group ends by itself "
    .. "and is restarted: nobody else; all others; those that come after it in "
    .. "the file"),
  burst = key(group_burst, nil, "after so many restarts all of the group have "
    .. "failed; default: only what has too many itself", M.group_burst),
}

--- What can be allowed on the control socket; `all` is all of it.
M.verbs = { "all", "apply", "events", "logs", "metrics", "plan", "reload",
            "restart", "run", "scale", "shutdown", "signal", "start", "status",
            "stop" }

local is_verb = types.one_of(table.unpack(M.verbs))

local who = {
  user = { kind = types.any, doc = "names or numbers" },
  group = { kind = types.any, doc = "names or numbers" },
}

-- Whether the users exist is looked up when the socket is opened.
local function allowed(value, context)
  local text = "a table as { status = { group = \"ops\" } }"
  if type(value) ~= "table" then return nil, text end
  for verb, whom in pairs(value) do
    local known, verbs = is_verb(verb)
    if not known then
      return nil, ("%s: expected %s"):format(tostring(verb), verbs), true
    end
    local fits = whom == "*" or whom == true or type(whom) == "table"
    if not fits then return nil, text end
    local _, why = checker.fields(type(whom) == "table" and whom or {}, who,
      context)
    if why then return nil, ("%s: %s"):format(verb, why), true end
  end
  return value
end

M.settings = {
  state_dir = key(types.path, nil, "the control socket and what must survive; "
    .. "default: /run/luvisor as root, else $XDG_RUNTIME_DIR/luvisor or "
    .. "/tmp/luvisor-UID"),
  log = record({
    dir = key(types.path, nil, "the services' log files; default: "
      .. "/var/log/luvisor as root, else $XDG_STATE_HOME/luvisor or "
      .. "~/.local/state/luvisor"),
    format = key(types.one_of("text", "json"), "text",
      "of luvisor's own lines"),
    level = key(types.one_of("debug", "info", "warning", "error"), "info",
      "of luvisor's own lines: this one and what is worse"),
  }, "logs"),
  control = record({
    socket = key(types.path, nil, "the control socket; default: control.sock "
      .. "in state_dir"),
    allow = key(allowed, {}, "who may do what besides root and luvisor's "
      .. "user: by verb a table of user and group (a name or a list of them), "
      .. "or \"*\"; the verbs are " .. table.concat(M.verbs, ", ")),
    tcp = key(probes.address, nil, "an address to listen at, too; needs a "
      .. "token"),
    token = key(types.string, nil, "the secret of the clients on tcp"),
  }, "the control socket"),
  defaults = { kind = function(value)
    if type(value) ~= "table" then return nil, "a table of keys of services" end
    return value
  end, default = {}, doc = "keys for all services; what a service says itself "
    .. "goes before" },
}

return M
