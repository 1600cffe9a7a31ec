std = "lua54"
max_line_length = 80
max_cyclomatic_complexity = 15
ignore = {"212/_.*", "213/_.*"} -- unused, but named with a leading _
exclude_files = {"build/**"}
