-- Shows the folder of data at a port that is free; needs python3, and says so
-- where there is none.
service "web" {
  requires = { "data" },
  wants = { "clock" }, -- after it, but not lost with it
  command = { shell = [[
    cd data
    if command -v python3 > /dev/null; then
      exec python3 -u -m http.server --bind 127.0.0.1 0
    fi
    echo "Serving nothing: there is no python3"
    exec sleep 1000000
  ]] },
  ready = { log = "Serving" },
}
