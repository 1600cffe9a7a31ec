--- luvisor start
-- @local

return require "luvisor.cli.requests".command {
  name = "start",
  starts = true,
  summary = "start services, and what they require",
  description = [[
Start services, after what they require, and wait until they are ready. One
that does not get there is an error that says why, with the last lines of its
log.]],
  example = "luvisor start web --wait 30",
}
