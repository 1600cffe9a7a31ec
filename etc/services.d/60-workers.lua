-- Two instances, worker@1 and worker@2; `luvisor scale worker=5` makes more.
service "worker" {
  instances = 2,
  requires = { "clock" },
  command = { shell = [[
    echo "worker $LUVISOR_INSTANCE is at work"
    exec sleep 1000000
  ]] },
  group = "crew",
}

service "foreman" {
  after = { "worker" },
  command = "sleep 1000000",
  group = "crew",
}

-- If one of them crashes, all of them are started anew.
group "crew" { strategy = "one_for_all" }
