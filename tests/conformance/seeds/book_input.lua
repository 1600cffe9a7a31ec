-- Notes on a book's chapter, second half: many at once, and talking with one.
local asyncio = require "luvisor.asyncio"
local fs = require "luvisor.fs"
local process_module = require "luvisor.process"
local tap = require "luvisor.tap"

local SOURCE = assert(os.getenv "LUVISOR_SOURCE", "LUVISOR_SOURCE is not set")
local CHILDREN = SOURCE .. "/scripts/children/"
local PIPE = asyncio.subprocess.PIPE

-- gpg in a home of its own, never the user's.
local function with_gpg(fn)
  local home = fs.mkdtemp { prefix = "gpg-" }
  local _ <close> = setmetatable({}, { __close = function()
    pcall(process_module.run, { "gpgconf", "--homedir", home, "--kill", "all",
      check = false })
    fs.remove(home, { recursive = true })
  end })
  return fn(home)
end

local function gpg(home)
  return { "gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback",
    "--no-tty", "--quiet", "--passphrase", "3ncryptm3", "-c", "--cipher-algo",
    "TWOFISH" }
end

local function exec(argv, options)
  local words = table.pack(table.unpack(argv))
  words[words.n + 1] = options
  return asyncio.create_subprocess_exec(table.unpack(words, 1, words.n + 1))
end

local function encrypt(home, text)
  local process = exec(gpg(home), { stdout = PIPE, stdin = PIPE })
  local stdout = process:communicate(text)
  return stdout
end

local function encrypt_bounded(semaphore, home, text)
  local _ <close> = semaphore:acquire()
  return encrypt(home, text)
end

local function random_texts(n)
  local list = {}
  for i = 1, n do
    local letters = {}
    for j = 1, 1000 do letters[j] = string.char(math.random(97, 122)) end
    list[i] = table.concat(letters)
  end
  return list
end

local function is_encrypted(text)
  return type(text) == "string" and #text > 500 and text:byte() >= 0x80
end

tap.test("encrypt: all texts through as many gpg at once", function()
  with_gpg(function(home)
    local function main()
      local tasks = {}
      for i, text in ipairs(random_texts(10)) do
        tasks[i] = asyncio.create_task(encrypt, home, text)
      end
      return asyncio.gather(table.unpack(tasks))
    end
    local encrypted = asyncio.run(main)
    tap.is(encrypted.n, 10)
    for i = 1, 10 do tap.ok(is_encrypted(encrypted[i]), "text " .. i) end
  end)
end)

tap.test("encrypt with a semaphore: no more at once than it has", function()
  with_gpg(function(home)
    local function main()
      local semaphore = asyncio.Semaphore(2)
      local tasks = {}
      for i, text in ipairs(random_texts(6)) do
        tasks[i] = asyncio.create_task(encrypt_bounded, semaphore, home, text)
      end
      return asyncio.gather(table.unpack(tasks))
    end
    local encrypted = asyncio.run(main)
    for i = 1, 6 do tap.ok(is_encrypted(encrypted[i]), "text " .. i) end
  end)
end)

tap.test("one answer: communicate gives the name", function()
  local function main()
    local process = exec({ "python3", CHILDREN .. "ask_name.py" },
      { stdout = PIPE, stdin = PIPE })
    return process:communicate "Zoot"
  end
  local stdout, stderr = asyncio.run(main)
  tap.like(stdout, "Zoot")
  tap.is(stderr, nil)
end)

local texts = { "one\n", "two\n", "three\n", "four\n", "quit\n" }

local function consume_and_send(heard, text_list, stdout, stdin)
  for _, text in ipairs(text_list) do
    heard[#heard + 1] = stdout:read(2048)
    stdin:write(text)
    stdin:drain()
  end
end

tap.test("consume_and_send: by turns", function()
  local heard = {}
  local function main()
    local process = exec({ "python3", "-u", CHILDREN .. "echo_loop.py" },
      { stdout = PIPE, stdin = PIPE })
    local results = asyncio.gather(
      { consume_and_send, heard, texts, process.stdout, process.stdin },
      { process.wait, process })
    -- An answer and the next prompt may come in one piece, or in two.
    return results, process.stdout:read()
  end
  local results, rest = asyncio.run(main)
  tap.is(results[2], 0)
  tap.is(#heard, 5)
  tap.like(table.concat(heard) .. rest, "one.*two.*three.*four")
end)

local function output_consumer(heard, ready, prompt, stdout)
  local data = stdout:read(1024)
  local tail = ""
  while data ~= "" do
    heard[#heard + 1] = data
    tail = (tail .. data):sub(-#prompt)
    if tail == prompt then ready:set() end
    data = stdout:read(1024)
  end
end

local function input_writer(text_data, ready, stdin)
  for _, text in ipairs(text_data) do
    ready:wait()
    ready:clear()
    stdin:write(text)
    stdin:drain()
  end
end

-- As the book's, without its pauses of half a second.
local RANDOM <const> = [[
from random import randrange
user_input = ''
while user_input != 'quit':
    user_input = input('text: ')
    for i in range(randrange(10)):
        print(user_input, flush=True)
]]

tap.test("output_consumer and input_writer: an event at each prompt", function()
  local heard = {}
  local function main()
    local process = exec({ "python3", "-u", "-c", RANDOM },
      { stdout = PIPE, stdin = PIPE })
    local ready = asyncio.Event()
    return asyncio.gather(
      { output_consumer, heard, ready, "text: ", process.stdout },
      { input_writer, texts, ready, process.stdin },
      { process.wait, process })
  end
  local results = asyncio.run(main)
  tap.is(results[3], 0)
  local _, prompts = table.concat(heard):gsub("text: ", "")
  tap.is(prompts, 5)
end)

tap.done()
