#!/usr/bin/env luvisor
-- Encrypt 100 texts with 100 gpg at once; prints the time and each result in
-- hexadecimal. With a number as argument the same texts are made again.
local process = require "luvisor.process"
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

local function encrypt(text) -- run is spawn, communicate and a check
  return process.run {
    input = text,
    "gpg", "-c", "--batch", "--passphrase", "3ncryptm3",
    "--cipher-algo", "TWOFISH", table.unpack(home.options),
  }.stdout
end

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

if arg[1] then math.randomseed(tonumber(arg[1])) end
local texts = {}
for i = 1, 100 do texts[i] = random_text(1000) end

local started = time.now()
local encrypted = {}
task.nursery(function(n)
  for i, text in ipairs(texts) do
    n:spawn(function() encrypted[i] = encrypt(text) end)
  end
end)

print(("time: %.3f s"):format(time.now() - started))
for _, bytes in ipairs(encrypted) do print(hex(bytes)) end
