-- Real gpg: what it encrypted gives the texts back, and its home goes.
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local SOURCE = os.getenv("LUVISOR_SOURCE")
local run_script = dofile(SOURCE .. "/tests/scripts/run_script.lua")
local gpg_home = dofile(SOURCE .. "/scripts/gpg_home.lua")

local LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

--- An empty directory for the scripts' own, to see that nothing stays.
local function with_empty_dir(fn)
  local dir = process.capture { "mktemp", "-d" }
  fn(dir)
  process.run { "rmdir", dir }
end

local function unhex(digits)
  return (digits:gsub("%x%x", function(d)
    return string.char(tonumber(d, 16))
  end))
end

local function decrypt(home, bytes)
  return process.run {
    input = bytes,
    "gpg", "-d", "--batch", "--passphrase", "3ncryptm3",
    table.unpack(home.options),
  }.stdout
end

--- The texts that gpg_all makes of a seed.
local function random_texts(seed)
  math.randomseed(seed)
  local texts = {}
  for i = 1, 100 do
    texts[i] = (" "):rep(1000):gsub(" ", function()
      local k = math.random(#LETTERS)
      return LETTERS:sub(k, k)
    end)
  end
  return texts
end

tap.test("gpg_echo goes there and back", function()
  with_empty_dir(function(dir)
    tap.like(run_script { "gpg_echo", env = { TMPDIR = dir } }.stdout,
             "^encrypted: %d+ bytes\ndecrypted: encrypt this!\n$")
  end)
end)

tap.test("gpg_all encrypts 100 texts at once, in order", function()
  with_empty_dir(function(dir)
    local out = run_script { "gpg_all", "7", env = { TMPDIR = dir } }.stdout
    local time, rest = out:match("^time: ([%d.]+) s\n(.*)$")
    tap.ok(time, "a time")
    local home <close> = gpg_home()
    local encrypted, count = {}, 0
    for digits in rest:gmatch("(%x+)\n") do
      count = count + 1
      encrypted[count] = unhex(digits)
    end
    tap.is(count, 100)
    local texts, same = random_texts(7), 0
    for i, bytes in ipairs(encrypted) do
      if decrypt(home, bytes) == texts[i] then same = same + 1 end
    end
    tap.is(same, 100, "each decrypts to its text")
  end)
end)

tap.test("gpg_semaphore keeps to the number of processors", function()
  with_empty_dir(function(dir)
    local out = run_script { "gpg_semaphore", env = { TMPDIR = dir } }.stdout
    local most, same = out:match("^time: [%d.]+ s\nmost at once: (%d+)\n" ..
                                 "decrypted to their text: (%d+)\n$")
    local processors = tonumber(process.capture { "nproc" })
    tap.is(tonumber(most), math.min(processors, 100))
    tap.is(same, "100")
  end)
end)

tap.done()
