-- Runs once, before all that require it, and is then "done". A command that is
-- a string is split into words, and no shell is asked; { shell = … } asks one.
service "data" {
  type = "oneshot",
  command = { shell = [[
    mkdir -p data
    echo "the data are in $PWD/data"
  ]] },
}
