#!/usr/bin/env luvisor
-- echo 'encrypt this!' | gpg -c ..., without a shell, and back again.
local process = require "luvisor.process"

local here = arg[0]:match("^.*/") or "./"
local home <close> = dofile(here .. "gpg_home.lua")()

local pl <close> = process.pipeline {
  { "echo", "encrypt this!" },
  { "gpg", "-c", "--batch", "--passphrase", "3ncryptm3",
    "--cipher-algo", "TWOFISH", table.unpack(home.options) },
  stdout = "pipe",
}
local encrypted = pl:communicate().stdout
print(("encrypted: %d bytes"):format(#encrypted))

local decrypted = process.capture {
  input = encrypted,
  "gpg", "-d", "--batch", "--passphrase", "3ncryptm3",
  table.unpack(home.options),
}
print("decrypted: " .. decrypted)
