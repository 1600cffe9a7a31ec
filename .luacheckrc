std = "lua54"
max_line_length = 80
max_cyclomatic_complexity = 15
ignore = {"212/_.*", "213/_.*"} -- unused, but named with a leading _
exclude_files = {"build/**"}
-- What a configuration of the supervisor has.
files["etc"] = {
  std = "lua54+luvisor_config", ignore = { "212" }
}
stds.luvisor_config = {
  read_globals = { "luvisor", "service", "group", "include", "env", "host" },
}
