--- luvisor reload
-- @local

return require "luvisor.cli.requests".command {
  name = "reload",
  summary = "tell services to read their configuration again",
  description = [[
Tell running services to read their own configuration again, as their `reload`
key says: by a signal (HUP by default) or a command. For the configuration of
luvisor itself, see `luvisor apply`.]],
  example = "luvisor reload web",
}
