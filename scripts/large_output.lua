#!/usr/bin/env luvisor
-- The two frequent forms of one program: wait first and then read, which hangs
-- on a large output, and communicate.
local lv = require "luvisor"
local process = require "luvisor.process"

local SIZE = 4000000
local FILE = { "head", "-c", tostring(SIZE), "/dev/zero", stdout = "pipe" }

local function wrong()
  local p <close> = process.spawn(FILE)
  local status, err = lv.try(p.wait, p, 1) -- without the bound: for ever
  print("wrong:", status or err.kind)
  -- A timeout leaves the child and its output as they are.
  print("late, but whole:", #p:communicate().stdout)
end

local function right()
  local p <close> = process.spawn(FILE)
  print("right:", #p:communicate().stdout)
end

wrong()
right()
