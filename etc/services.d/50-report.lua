-- A job: every half a minute, and once now with `luvisor run-job report`.
service "report" {
  type = "job",
  schedule = "every 30s", -- or as cron has it: { at = "0 3 * * *" }
  requires = { "data" },
  command = "ls -l data",
}
