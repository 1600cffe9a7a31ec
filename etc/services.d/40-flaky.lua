-- It crashes, and comes back: after 0.5 s, then 1 s, 2 s … up to 10 s; a run of
-- a minute is forgiven. More than 20 starts within two minutes, and it is shown
-- as failed, to be tried again after five.
service "flaky" {
  command = { shell = [[
    echo "this will not last"
    sleep 8
    echo "as I said" >&2
    exit 3
  ]] },
  restart = "on-failure",
  backoff = { initial = 0.5, max = 10, reset_after = "1m" },
  burst = { count = 20, within = "2m", retry_after = "5m" },
  on_exit = function(svc, status)
    -- Policy is code: after a hundred crashes it may rest.
    if svc.restarts >= 100 then return "fail" end
  end,
}
