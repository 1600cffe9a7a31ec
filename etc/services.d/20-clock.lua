-- A daemon that says when it is ready: a line of its output fits the pattern.
-- What the pattern captures as "name=value" is a fact that `luvisor status
-- --json` shows.
service "clock" {
  requires = { "data" },
  command = { shell = [[
    echo "ready, pid=$$"
    while :; do
      date +%T > data/now
      sleep 1
    done
  ]] },
  ready = { log = "^%S* ?ready, (pid=%d+)", timeout = "10s" },
}

-- Its health is asked for all the time; three failures in a row restart it.
service "reader" {
  requires = { "clock" }, -- started after it is ready, stopped before it
  command = { shell = [[
    while sleep 10; do
      echo "it is $(cat data/now)"
    done
  ]] },
  health = { command = "test -s data/now", interval = "5s", failures = 3 },
}
