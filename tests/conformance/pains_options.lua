-- What users of other runtimes suffer: an option that is accepted, and ignored.
-- Here the options are taken from the code, and each must be in a list of
-- effects: one that is added without its effect fails this test.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local options = require "luvisor.process.options"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local run <const> = process.run

-- A local of the file that a function is from.
local function upvalue(fn, wanted)
  for i = 1, 255 do
    local name, value = debug.getupvalue(fn, i)
    if name == wanted then return value end
    if not name then break end
  end
  error("no upvalue " .. wanted)
end

local spawn_options = upvalue(options.check_spawn, "spawn")
local run_options = upvalue(options.check_run, "run")
local nested = upvalue(options.check_spawn, "nested")
local file_options = upvalue(upvalue(upvalue(options.check_spawn,
  "check_descriptors"), "check_descriptor"), "check_table")
file_options = upvalue(file_options, "file")

-- What a shell writes that is started with such options.
local function says(script, opts)
  local all = { "sh", "-c", script, check = false }
  for name, value in pairs(opts) do all[name] = value end
  return (run(all).stdout or ""):gsub("\n$", "")
end

-- Is what it says with the option as expected, and otherwise without it?
local function differs(script, opts, expected)
  local said, usual = says(script, opts), says(script, {})
  return said == expected and said ~= usual,
    ("%q, and %q without it"):format(said, usual)
end

local function raises(kind, opts, fn)
  local ok, err = pcall(fn or run, opts)
  return not ok and err:is(kind), tostring(err)
end

local STATUS <const> = "sed -n 's/^%s:[ \t]*//p' /proc/self/status"
local LIMIT <const> = "awk '/^Max open files/ { print $4, $5 }' "
  .. "/proc/self/limits"

-- Needs root, and a cgroup of its own; test_options.lua has it.
local elsewhere = { cgroup = true, chroot = true }

local effects = {
  shell = function()
    return run({ shell = "echo $((1 + 1))" }).stdout == "2\n"
  end,
  executable = function()
    return run({ "x", "-c", "echo y", executable = "sh" }).stdout == "y\n"
  end,
  argv0 = function()
    return differs("tr '\\0' '\\n' < /proc/$$/cmdline | head -n1",
      { argv0 = "-x" }, "-x")
  end,
  cwd = function() return differs("pwd", { cwd = "/" }, "/") end,
  env = function()
    return differs("echo $LV_X", { env = { LV_X = "1" } }, "1")
  end,
  clear_env = function()
    return differs("echo ${LUVISOR-none}", { clear_env = true }, "none")
  end,
  stdin = function()
    return differs("readlink /proc/$$/fd/0", { stdin = "close" }, "")
  end,
  stdout = function()
    return run({ "echo", "x", stdout = "null" }).stdout == nil
  end,
  stderr = function()
    return differs("echo e >&2", { stderr = "stdout" }, "e")
  end,
  fds = function()
    return differs("test -e /dev/fd/7; echo $?", { fds = { [7] = "null" } },
      "0")
  end,
  pty = function()
    return differs("test -t 1; echo $?", { pty = true }, "0\r")
  end,
  user = function()
    return differs("id -u", { user = 65534, cwd = "/" }, "65534")
  end,
  group = function() return differs("id -g", { group = 2345 }, "2345") end,
  groups = function()
    return differs(STATUS:format "Groups", { groups = { 3456 } }, "3456 ")
  end,
  umask = function() return differs("umask", { umask = "031" }, "0031") end,
  nice = function() return differs("nice", { nice = 7 }, "7") end,
  limits = function()
    return differs(LIMIT, { limits = { nofile = { 33, 44 } } }, "33 44")
  end,
  oom_score_adj = function()
    return differs("cat /proc/self/oom_score_adj", { oom_score_adj = 777 },
      "777")
  end,
  cpu_affinity = function()
    return differs(STATUS:format "Cpus_allowed_list", { cpu_affinity = { 0 } },
      "0")
  end,
  no_new_privs = function()
    return differs(STATUS:format "NoNewPrivs", { no_new_privs = true }, "1")
  end,
  pdeathsig = function()
    local host = children.start([[
      print(process.spawn { "sleep", "600", pdeathsig = "KILL" }.pid)
      task.sleep(600)
    ]], {})
    local pid = tonumber(host.stdout:readline())
    host:kill() -- it has no time to stop its child itself
    host:wait()
    host:close()
    return tap.eventually(function() return children.is_gone(pid) end)
  end,
  session = function()
    return differs("test $(ps -o sid= -p $$) = $$; echo $?", { session = true },
      "0")
  end,
  process_group = function()
    return differs("test $(ps -o pgid= -p $$) = $$; echo $?",
      { process_group = false }, "1")
  end,
  pipe_size = function()
    local p <close> = process.spawn { "yes", stdout = "pipe",
                                      pipe_size = 4096 }
    return tap.eventually(function() return p.stdout:_in_kernel() > 0 end)
      and not task.move_on(0.01, function()
        while p.stdout:_in_kernel() <= 4096 do task.checkpoint() end
      end)
  end,
  limit = function()
    local p <close> = process.spawn { "yes", stdout = "pipe", limit = 10 }
    p.stdout:read(1)
    for _ = 1, 5 do task.checkpoint() end
    return p.stdout.limit == 10 and p.stdout:buffered() <= 10
  end,
  max_line = function()
    local p <close> = process.spawn { "echo", "abc", stdout = "pipe",
                                      max_line = 2 }
    return raises("LimitOverrun", p.stdout, p.stdout.readline)
  end,
  name = function()
    local ok, err = raises("ExitError", { "false", name = "the backup" })
    return ok and err:find "the backup", err
  end,
  stop = function()
    local p = process.spawn { "sleep", "600", stop = { signal = "HUP" } }
    return p:stop().signal == "HUP"
  end,
  protocol = function()
    local ended
    local p <close> = process.spawn { "true", protocol = {
      process_exited = function() ended = true end } }
    p:wait()
    return tap.eventually(function() return ended end)
  end,
  input = function() return differs("cat", { input = "x" }, "x") end,
  timeout = function()
    return raises("Timeout", { "sleep", "600", timeout = 0.01 })
  end,
  check = function()
    return not pcall(run, { "false" }) and run({ "false", check = false }).code
      == 1
  end,
  max_output = function()
    return raises("LimitOverrun", { "echo", "abc", max_output = 2 })
  end,
  linger = function()
    return run({ shell = "sleep 600 & exit 0", linger = 0.01 }).pipe_held
  end,
  leftover = function()
    local r = run { shell = "(sleep 0.05; echo late) &", linger = 0,
                    leftover = "wait" }
    return r.stdout == "late\n"
  end,
}

local as_root = { user = true, group = true, groups = true }

-- Where there is one processor, to ask for it changes nothing.
local has_one_processor = says(STATUS:format "Cpus_allowed_list", {}) == "0"

local function is_possible(name)
  return (children.is_root or not as_root[name])
    and not (children.in_valgrind and name == "limits")
    and not (has_one_processor and name == "cpu_affinity")
end

local function check(names, list, prefix)
  for _, name in ipairs(names) do
    local effect = list[name]
    if not effect and not elsewhere[name] then
      tap.ok(false, prefix .. name .. " is accepted: what does it do?")
    elseif effect and is_possible(name) then
      local ok, seen = effect()
      tap.ok(ok, prefix .. name .. (ok and "" or ": " .. tostring(seen)))
    end
  end
end

local function names_of(spec)
  local names = {}
  for name in pairs(spec) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

tap.test("mise/vfox#13263: each option of spawn, run and capture is used",
function()
  local names = names_of(run_options)
  tap.ok(#names > #names_of(spawn_options))
  check(names, effects, "")
end)

tap.test("mise/vfox#13263: so are those of communicate", function()
  local function talk(argv, opts)
    argv.stdout = "pipe"
    local p <close> = process.spawn(argv)
    return p:communicate(nil, opts)
  end
  check(names_of(options.communicate), {
    timeout = function()
      return raises("Timeout", { "sleep", "600" }, function(argv)
        talk(argv, { timeout = 0.01 })
      end)
    end,
    max_output = function()
      return raises("LimitOverrun", { "echo", "abc" }, function(argv)
        talk(argv, { max_output = 2 })
      end)
    end,
    linger = function()
      local r = talk({ "sh", "-c", "(sleep 0.05; echo late) &" },
        { linger = 30 })
      return r.stdout == "late\n" and not r.pipe_held
    end,
  }, "communicate: ")
end)

tap.test("mise/vfox#13263: so are those that are tables themselves", function()
  check(names_of(nested), effects, "")
  check(names_of(nested.pty), {
    rows = function()
      return differs("stty size <&1", { pty = { rows = 33 } }, "33 80\r")
    end,
    cols = function()
      return differs("stty size <&1", { pty = { cols = 44 } }, "24 44\r")
    end,
    echo = function()
      return differs("stty -a <&2 | tr ' ;' '\\n\\n' | grep -- '^-echo$'",
        { pty = { echo = false } }, "-echo\r")
    end,
  }, "pty: ")
  check(names_of(nested.stop), {
    signal = effects.stop,
    grace = function()
      local p <close> = process.spawn { "sh", "-c",
        "trap '' TERM; echo; while :; do sleep 0.01; done", stdout = "pipe",
        stderr = "null", stop = { grace = 0.02 } }
      p.stdout:readline()
      return p:stop().signal == "KILL"
    end,
  }, "stop: ")
  local dir <close> = children.tmpdir()
  local path = dir.path .. "/file"
  check(names_of(file_options), {
    file = function()
      run { "echo", "a", stdout = { file = path } }
      return children.read_file(path) == "a\n"
    end,
    append = function()
      children.write_file(path, "a\n")
      run { "echo", "b", stdout = { file = path, append = true } }
      return children.read_file(path) == "a\nb\n"
    end,
    mode = function()
      os.remove(path)
      run { "echo", "c", stdout = { file = path, mode = "0600" } }
      return says("stat -c %a " .. path, {}) == "600"
    end,
  }, "file: ")
end)

tap.test("mise/vfox#13263: what is not an option is refused, with what was "
  .. "meant", function()
  for _, name in ipairs(names_of(run_options)) do
    local ok, err = raises("UsageError", { "true", [name .. "x"] = 1 })
    tap.ok(ok and err:find(("did you mean %q"):format(name), 1, true), err)
  end
end)

tap.done()
