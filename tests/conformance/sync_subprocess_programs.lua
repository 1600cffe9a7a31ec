-- Counterparts of Python's test_subprocess.py: what is executed, where, as
-- whom. Those that tests/lua has are not repeated.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local process = require "luvisor.process"
local tap = require "luvisor.tap"

local capture <const> = process.capture

-- A directory with a program `where` in it, which says where it is.
local function tool_dir()
  local dir = children.tmpdir()
  children.write_file(dir.path .. "/where", "#!/bin/sh\npwd\n", "755")
  return dir
end

-- -- cwd and executable -------------------------------------------------------

tap.test("test_cwd_with_relative_arg: a program with a slash is looked for "
  .. "from cwd", function()
  local dir <close> = tool_dir()
  local name = dir.path:match "[^/]+$"
  local parent = dir.path:match "^(.*)/"
  tap.throws(function() capture { "./where", cwd = "/" } end, "ENOENT")
  tap.is(capture { "./where", cwd = dir.path }, dir.path)
  tap.throws(function() capture { name .. "/where", cwd = "/" } end, "ENOENT")
  tap.is(capture { name .. "/where", cwd = parent }, parent)
end)

tap.test("test_cwd_with_relative_executable: so is executable", function()
  local dir <close> = tool_dir()
  local name = dir.path:match "[^/]+$"
  local parent = dir.path:match "^(.*)/"
  tap.throws(function()
    capture { "any name", executable = "./where", cwd = "/" }
  end, "ENOENT")
  tap.is(capture { "any name", executable = "./where", cwd = dir.path },
    dir.path)
  tap.is(capture { "any name", executable = name .. "/where", cwd = parent },
    parent)
end)

tap.test("test_cwd_with_absolute_arg: an absolute one is found from anywhere",
function()
  local dir <close> = tool_dir()
  tap.throws(function() capture { "./where", cwd = "/" } end, "ENOENT")
  tap.is(capture { dir.path .. "/where", cwd = "/" }, "/")
end)

tap.test("test_executable_with_cwd, test_executable_without_cwd: the name in "
  .. "argv need not exist", function()
  local dir <close> = tool_dir()
  local path = dir.path .. "/where"
  tap.is(capture { "somethingyoudonthave", executable = path, cwd = "/" }, "/")
  tap.is(capture { "somethingyoudonthave", executable = path },
    capture { "pwd" })
end)

tap.test("test_executable_takes_precedence: over a program that exists",
function()
  tap.is(capture { "echo", "x" }, "x")
  local _, err = tap.throws(function()
    capture { "echo", "x", executable = "/no/such/program" }
  end, "ENOENT")
  tap.is(err.subject, "/no/such/program")
  tap.throws(function()
    capture { shell = "echo x", executable = "/no/such/shell" }
  end, "ENOENT")
end)

tap.test("test_specific_shell: a shell is called by its own name", function()
  for _, shell in ipairs { "/bin/sh", "/bin/bash", "/usr/bin/bash" } do
    if process.which(shell) then
      tap.is(capture { shell = "echo $0", executable = shell }, shell)
    end
  end
end)

tap.test("test_args_string, test_call_string: a script alone, which is a list "
  .. "of one", function()
  local dir <close> = children.tmpdir()
  local path = dir.path .. "/a script"
  children.write_file(path, "#!/bin/sh\nexit 47\n", "700")
  tap.is(process.spawn({ path }):wait().code, 47)
  tap.is(process.run({ path, check = false }).code, 47)
  tap.throws(function() process.spawn(path) end, "UsageError",
    "a string alone is none: would it be a line or a name?")
end)

tap.test("test_shell_sequence: a shell's line is one string", function()
  local env = { FRUIT = "apple" }
  tap.is(capture { shell = "echo $FRUIT", env = env }, "apple")
  tap.throws(function()
    process.run { shell = { "echo $FRUIT" }, env = env }
  end, "UsageError")
end)

-- -- run and capture ----------------------------------------------------------

tap.test("test_check_output_stderr: capture has stderr, too, if told so",
function()
  tap.is(capture { shell = "printf BDFL >&2", stderr = "stdout" }, "BDFL")
end)

tap.test("test_check_output_input_arg, test_check_output_stdin_with_input_arg: "
  .. "input is a string", function()
  tap.is(capture { "tr", "a-z", "A-Z", input = "pear" }, "PEAR")
  local file <close> = assert(io.open "/dev/null")
  local _, err = tap.throws(function()
    capture { "cat", stdin = file, input = "hare" }
  end, "UsageError")
  tap.like(err.message, "stdin")
  tap.like(err.message, "input")
end)

tap.test("test_getoutput: output and status of a line", function()
  local function status_and_output(line)
    local r = process.run { shell = line, stderr = "stdout", check = false }
    return r.returncode, (r.stdout:gsub("\n$", ""))
  end
  tap.is_deeply({ status_and_output "echo xyzzy" }, { 0, "xyzzy" })
  local code, text = status_and_output "cat /no/such/file"
  tap.is(code, 1)
  tap.like(text, "No such file")
end)

tap.test("test_stdout_stdout: stdout cannot go to itself", function()
  local _, err = tap.throws(function()
    process.run { "true", stdout = "stdout" }
  end, "UsageError")
  tap.like(err.message, "stdout is one of")
end)

tap.test("test_wait_negative_timeout: there is no time before now", function()
  local p <close> = process.spawn { "sleep", "600" }
  tap.throws(function() p:wait(-1) end, "UsageError")
  tap.throws(function() process.run { "true", timeout = -1 } end, "UsageError")
  tap.is(p.status, nil)
end)

-- -- Who it is ----------------------------------------------------------------

tap.test("test_user, test_group, test_extra_groups_invalid_gid_t_values: "
  .. "numbers that are none are refused", function()
  local all_bits <const> = (1 << 32) - 1 -- "as it is", for the kernel
  for _, wrong in ipairs { -1, -2, all_bits, 1 << 32, 1 << 62, 2 ^ 64, 1.5 } do
    for name, value in pairs { user = wrong, group = wrong,
                               groups = { wrong } } do
      local ok, err = pcall(process.spawn, { "true", [name] = value })
      tap.ok(not ok and (err:is "UsageError" or err:is "SpawnError"),
        ("%s = %s: %s"):format(name, wrong, err))
      if ok then err:close() end
    end
  end
end)

tap.test("test_extra_groups, test_extra_groups_empty_list: a list of names and "
  .. "numbers, or none", function()
  children.need_root()
  local function groups(list)
    return capture { "sh", "-c", "sed -n 's/^Groups:[ \t]*//p' "
      .. "/proc/self/status", groups = list }
  end
  local nogroup = capture { shell = "getent group nogroup | cut -d: -f3" }
  tap.is(groups { "nogroup", 60001 }:gsub(" $", ""),
    math.tointeger(nogroup) < 60001 and nogroup .. " 60001"
      or "60001 " .. nogroup)
  tap.is(groups({}):gsub(" ", ""), "")
  tap.throws(function() groups { "no-such-group" } end, "SpawnError")
end)

tap.test("test_umask: a file of the child's has its mode", function()
  local dir <close> = children.tmpdir()
  process.run { "touch", dir.path .. "/beans", umask = "053" }
  tap.is(capture { "stat", "-c", "%a", dir.path .. "/beans" }, "624")
end)

tap.test("test_restore_signals: what we ignore is not ignored by a child",
function()
  local r = process.run { "sh", "-c", "trap '' PIPE XFSZ HUP; "
    .. "exec \"$0\" \"$@\"", children.LUVISOR, "-e", [[
      local process = require "luvisor.process"
      print(process.capture { "sh", "-c", "grep SigIgn /proc/$PPID/status" })
      print(process.capture { "grep", "SigIgn", "/proc/self/status" })
    ]] }
  local ours, its = r.stdout:match "SigIgn:\t(%x+)\nSigIgn:\t(%x+)"
  tap.isnt(ours, "0000000000000000")
  tap.is(its, "0000000000000000")
end)

tap.done()
