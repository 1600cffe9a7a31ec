#!/usr/bin/env luvisor
-- Encrypt 100 texts with no more gpg at once than there are processors;
-- prints the time, then decrypts them the same way to see that all is there.
local process = require "luvisor.process"
local sync = require "luvisor.sync"
local task = require "luvisor.task"
local time = require "luvisor.time"

local here = arg[0]:match("^.*/") or "./"
local home <close> = dofile(here .. "gpg_home.lua")()

local LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

local function random_text(length)
  local letters = {}
  for i = 1, length do
    local k = math.random(#LETTERS)
    letters[i] = LETTERS:sub(k, k)
  end
  return table.concat(letters)
end

local semaphore = sync.semaphore(tonumber(process.capture { "nproc" }))
local running, most = 0, 0

local function gpg(input, ...)
  local _ <close> = semaphore:acquire()
  running = running + 1
  most = math.max(most, running)
  local result = process.run {
    input = input,
    "gpg", "--batch", "--passphrase", "3ncryptm3", ...
  }
  running = running - 1
  return result.stdout
end

local function encrypt(text)
  return gpg(text, "-c", "--cipher-algo", "TWOFISH",
             table.unpack(home.options))
end

local function decrypt(bytes)
  return gpg(bytes, "-d", table.unpack(home.options))
end

--- All of fn(list[i]), each in a task of its own.
local function gather(list, fn)
  local results = {}
  task.nursery(function(n)
    for i, item in ipairs(list) do
      n:spawn(function() results[i] = fn(item) end)
    end
  end)
  return results
end

local texts = {}
for i = 1, 100 do texts[i] = random_text(1000) end

local started = time.now()
local encrypted = gather(texts, encrypt)
print(("time: %.3f s"):format(time.now() - started))
print("most at once: " .. most)

local same = 0
for i, text in ipairs(gather(encrypted, decrypt)) do
  if text == texts[i] then same = same + 1 end
end
print("decrypted to their text: " .. same)
