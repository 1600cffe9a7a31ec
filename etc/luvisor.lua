-- An example that works anywhere, without root and with little more than sh:
--
--   make up                                        runs it, in the foreground
--   build/dev/luvisor status -c etc/luvisor.lua    from another terminal
--
-- What it keeps is below build/up: the control socket, the logs, some data.
-- ($LUVISOR_EXAMPLE names another folder, in full.) A configuration of your own
-- needs neither state_dir nor log.dir: as root it is /etc/luvisor/luvisor.lua,
-- with /run/luvisor and /var/log/luvisor; others have theirs below ~/.config,
-- $XDG_RUNTIME_DIR and ~/.local/state.

local given = env "LUVISOR_EXAMPLE"

-- Relative paths start at the folder of the file they stand in.
luvisor {
  state_dir = given or "../build/up",
  log = { dir = (given or "../build/up") .. "/log" },
  defaults = { -- for all services
    cwd = given or "../../build/up", -- they are declared in services.d
    stop = { grace = 5 },
    log = { max_size = "1M", keep = 3, timestamps = "iso" },
  },
}

-- Each file declares what it is about; they are read in the order of names.
include "services.d/*.lua"
