-- Writing: answers, echoes, a prompt, stdin closed early.
local tap = require "luvisor.tap"

local SOURCE = os.getenv("LUVISOR_SOURCE")
local run_script = dofile(SOURCE .. "/tests/scripts/run_script.lua")

local PROMPT = "Enter text: "
local WORDS = { "one", "two", "three", "four", "quit" }

--- The texts between the prompts, the one before the first included.
local function answers(out)
  local list = {}
  for text in (out .. PROMPT):gmatch("(.-)" .. PROMPT) do
    table.insert(list, text)
  end
  return list
end

tap.test("one_shot answers the question", function()
  tap.is(run_script { "one_shot" }.stdout,
         "Enter your name: You entered the name Zoot\n\nnil\n")
end)

tap.test("echo_turns hears each word before it says the next", function()
  tap.is(run_script { "echo_turns" }.stdout,
         "Enter text: \n" ..
         "one\nEnter text: \n" ..
         "two\nEnter text: \n" ..
         "three\nEnter text: \n" ..
         "four\nEnter text: \n" ..
         "the process returned: 0\n")
end)

tap.test("echo_event writes one word at each prompt", function()
  local out = run_script { "echo_event", "0.01" }.stdout
  local END = "the process returned: 0\n"
  tap.is(out:sub(-#END), END)
  local list = answers(out:sub(1, -#END - 1))
  tap.is(#list, #WORDS + 1, "as many prompts as words")
  tap.is(list[1], "", "the first word comes after the first prompt")
  for i, word in ipairs(WORDS) do
    local line = word .. "\n"
    local times = #list[i + 1] // #line
    tap.is(list[i + 1], line:rep(times), word .. " and nothing else")
    tap.ok(times < 10, "fewer than ten times")
  end
end)

tap.test("basic_communication gets back what it sent", function()
  tap.is(run_script { "basic_communication" }.stdout,
         "sent: Hello, subprocess!\nreceived: Hello, subprocess!\n")
end)

tap.test("communicate gives the input and gets the answer", function()
  tap.is(run_script { "communicate" }.stdout,
         "result:\nreceived 11 bytes\ncontents: HELLO WORLD\n\n")
end)

tap.test("repl shows the answers of Python", function()
  tap.is(run_script { "repl" }.stdout,
         "4\n>>> \nHello!\n>>> \nthe process returned: 0\n")
end)

tap.test("close_stdin loses nothing", function()
  tap.is(run_script { "close_stdin" }.stdout,
         "undrained:\ttrue\ndrained:\ttrue\n")
end)

tap.done()
