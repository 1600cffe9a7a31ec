--- luvisor restart
-- @local

return require "luvisor.cli.requests".command {
  name = "restart",
  starts = true,
  summary = "stop services and start them",
  description = [[
Stop services, if they run, and start them; wait until they are ready. What
requires them is stopped before, and comes back.]],
  example = "luvisor restart web",
}
