--- The keys of a configuration as data: type, default, and whether a change of
-- it changes what is executed. `luvisor check --show` and the reference are
-- made of it, too.
-- @module luvisor.supervisor.schema

local groups = require "luvisor.supervisor.groups"
local probes = require "luvisor.supervisor.probetypes"
local types = require "luvisor.supervisor.types"

local M = {}

local huge = math.maxinteger

local function key(kind, default, doc)
  return { kind = kind, default = default, doc = doc }
end

-- A change of it takes effect by a restart.
local function exec(kind, default, doc)
  return { kind = kind, default = default, doc = doc, exec = true }
end

-- A table of keys of its own, all with defaults.
local function record(keys, doc)
  return { record = keys, doc = doc }
end

M.backoff = {
  initial = key(types.duration, 0.2, "delay before the first restart"),
  factor = key(types.number(1, 100), 2, "by which it grows"),
  max = key(types.duration, 30, "the longest delay"),
  jitter = key(types.number(0, 1), 0.1, "the part of it that is random"),
  reset_after = key(types.duration, 60, "a run this long forgives"),
}

M.burst = {
  count = key(types.integer(1, huge), 5, "starts that are allowed …"),
  within = key(types.duration, 30, "… within this time"),
  retry_after = key(types.duration_or_false, 300,
    "then it has failed, and is tried again after this; false: not"),
}

M.stop = {
  signal = key(types.signal, "TERM", "how it is asked to end"),
  grace = key(types.duration, 10, "after which what is left is killed"),
}

M.log = {
  target = key(types.one_of("file", "journal", "syslog", "null", "inherit"),
    "file", "where the output goes"),
  file = key(types.string, nil, "name of the file of both streams"),
  stdout = key(types.string, nil, "a file for stdout alone"),
  stderr = key(types.string, nil, "a file for stderr alone"),
  max_size = key(types.size, 10 << 20, "a file this big is rotated"),
  keep = key(types.integer(0, 1000), 5, "rotated files that are kept"),
  total = key(types.size, nil, "bytes that all of them may have"),
  gzip = key(types.boolean, false, "compress rotated files"),
  timestamps = key(types.either(types.one_of("iso", "unix"), types.boolean),
    false, "before each line"),
  on_pressure = key(types.one_of("block", "drop"), "block",
    "when the disk is full or slow"),
}

M.hooks = {
  pre_start = key(probes.hook, nil, "before each start; its failure is one"),
  post_start = key(probes.hook, nil, "when it is ready"),
  pre_stop = key(probes.hook, nil, "before it is asked to end"),
  post_stop = key(probes.hook, nil, "when nothing of it is left"),
}

M.service = {
  type = key(types.one_of("daemon", "oneshot", "job"), "daemon",
    "daemon: runs on; oneshot: runs once; job: runs at its times"),
  command = exec(types.command, nil, "what is executed"),
  run = exec(types.fn, nil, "a Lua function that is the service"),
  cwd = exec(types.path, nil, "working directory; the file's folder"),
  env = exec(types.env, {}, "laid over luvisor's environment"),
  env_file = exec(types.path, nil, "lines NAME=value, below env"),
  user = exec(types.either(types.string, types.integer(0, 1 << 31)), nil,
    "name, name:group or number"),
  groups = exec(types.list(types.either(types.string,
    types.integer(0, 1 << 31)), "a list of groups"), nil,
    "Unix groups; the user's"),
  umask = exec(types.octal, nil, "as \"022\"; luvisor's"),
  nice = exec(types.integer(-20, 19), nil, "priority"),
  limits = exec(types.limits, nil, "as { nofile = 4096 }"),
  oom_score_adj = exec(types.integer(-1000, 1000), nil, "proc(5)"),
  cpu_affinity = exec(types.list(types.integer(0, 4095),
    "a list of processors"), nil, "processors from 0"),
  no_new_privs = exec(types.boolean, nil, "prctl(2)"),
  pty = exec(types.boolean, nil, "run on a pseudo-terminal"),
  stdin = exec(types.one_of("null", "inherit"), "null", "its standard input"),
  autostart = key(types.boolean, true, "start with luvisor"),
  main = key(types.boolean, false, "luvisor ends with it, with its code"),
  requires = key(types.names, {}, "started before, stopped after, with it"),
  wants = key(types.names, {}, "started before, if they are started"),
  after = key(types.names, {}, "the same"),
  conflicts = key(types.names, {}, "stopped when it is started"),
  restart = key(types.one_of("always", "on-failure", "never"), nil,
    "on-failure for daemons, else never"),
  success_codes = key(types.codes, { 0 }, "exit codes and signals"),
  backoff = record(M.backoff, "delays between restarts"),
  burst = record(M.burst, "how many restarts are too many"),
  ready = exec(probes.ready, nil, "when it is ready; else once it runs"),
  ready_timeout = key(types.duration, 60, "it must be ready by then"),
  health = key(probes.health, nil, "a probe while it runs"),
  watchdog = exec(types.duration, nil,
    "WATCHDOG=1 must come this often, by notify"),
  stop = record(M.stop, "how it is stopped"),
  reload = key(probes.reload, { signal = "HUP" }, "how it is told to reload"),
  log = record(M.log, "where its output goes"),
  hooks = record(M.hooks, "commands or functions around its life"),
  on_exit = key(types.fn, nil, "policy as code: \"restart\" | \"stop\" | "
    .. "\"fail\" | nil"),
  on_supervisor_death = exec(types.one_of("kill", "survive"), "kill",
    "after kill -9 of luvisor"),
  schedule = key(types.schedule, nil, "when a job runs"),
  instances = key(types.integer(0, 10000), nil, "how many run, as name@1 …"),
  sockets = exec(types.list(probes.socket, "a list as { \"127.0.0.1:80\" }"),
    nil, "opened by luvisor, passed as LISTEN_FDS"),
  group = key(types.string, nil, "the group it is restarted with"),
}

M.group = {
  strategy = key(function(value)
    if type(value) == "string" and groups.is_strategy(value) then
      return value
    end
    return nil, "one of \"one_for_one\", \"one_for_all\", \"rest_for_one\""
  end, "one_for_one", "who is restarted with whom"),
}

M.settings = {
  state_dir = key(types.path, nil, "sockets and what must survive"),
  log = record({
    dir = key(types.path, nil, "the services' log files"),
    format = key(types.one_of("text", "json"), "text", "luvisor's own lines"),
    level = key(types.one_of("debug", "info", "warning", "error"), "info",
      "of luvisor's own lines"),
  }, "logs"),
  control = record({
    socket = key(types.path, nil, "the control socket; in state_dir"),
    allow = key(function(value)
      if type(value) ~= "table" then
        return nil, "a table as { status = { group = \"ops\" } }"
      end
      return value
    end, {}, "who else may do what"),
    tcp = key(probes.address, nil, "also here; needs a token"),
    token = key(types.string, nil, "of the clients on tcp"),
  }, "the control socket"),
  defaults = { kind = function(value)
    if type(value) ~= "table" then return nil, "a table of keys of services" end
    return value
  end, default = {}, doc = "keys for all services" },
}

return M
