--- luvisor stop
-- @local

return require "luvisor.cli.requests".command {
  name = "stop",
  summary = "stop services, after what requires them",
  description = [[
Stop services, after what requires them, and wait until no process of theirs is
left. They stay stopped, also when a configuration is applied or luvisor is
started again, until somebody starts them.]],
  example = "luvisor stop web worker@2",
}
