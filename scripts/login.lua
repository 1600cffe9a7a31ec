#!/usr/bin/env luvisor
-- Log in to a program that asks at its terminal, and give it commands.
-- usage: login.lua [PASSWORD]
local expect = require "luvisor.expect"

local here = arg[0]:match("^.*/") or "./"
local PROMPT <const> = { literal = "$ " }

local s <close> = expect.spawn { "python3", here .. "children/login.py",
                                 timeout = 10 }
s:expect { literal = "login: " }
s:sendline "ali"
s:expect { literal = "Password: " }
s:sendline(arg[1] or "open sesame", { noecho = true })

local i, welcome = s:expect { "Welcome, .-!", "Login incorrect" }
print(welcome)
if i == 2 then os.exit(1) end

for _, command in ipairs { "ls", "make" } do
  s:expect(PROMPT)
  s:sendline(command)
  local _, _, answer = s:expect(command .. ": (.-)\r\n")
  print(command, answer)
end
s:expect(PROMPT)
s:sendline "exit"
s:expect(expect.EOF)
print("the program " .. tostring(s:wait()))
