--- Answers that come bit by bit: logs and events.
-- @local

local acts = require "luvisor.control.acts"
local errors = require "luvisor.error"
local json = require "luvisor.json"
local merge = require "luvisor.control.merge"
local plain = require "luvisor.control.plain"
local since = require "luvisor.control.since"

local M = {}

local LINES <const> = 50 -- of a log, if nobody says how many
local MOST <const> = 100000

-- Feeds -----------------------------------------------------------------------

local Feeds = {}
Feeds.__index = Feeds

--- What is sent without an end, until somebody ends it.
function M.feeds()
  return setmetatable({ _open = setmetatable({}, { __mode = "k" }) }, Feeds)
end

local function close(feed)
  getmetatable(feed).__close(feed)
end

local function keep(feeds, feed)
  feeds._open[feed] = true
  if feeds._closed then close(feed) end
  return feed
end

--- End all: what they have is sent, and then an end as it should be. Further
-- ones end as they begin.
function Feeds:close()
  self._closed = true
  for feed in pairs(self._open) do close(feed) end
end

-- Events ----------------------------------------------------------------------

local Feed = {}
Feed.__index = Feed

local texts = setmetatable({}, { __mode = "k" }) -- one for all who follow

local function event_text(event)
  local text = texts[event]
  if text then return text end
  local id = event.seq and ("id: %d\n"):format(event.seq) or ""
  text = ("%sevent: %s\ndata: %s\n\n"):format(id, event.type,
    json.encode(plain.value(event)))
  texts[event] = text
  return text
end

-- Who has read up to this id goes on there, and is told if there is a gap. An
-- id that there has not been yet is of an earlier luvisor: all is new then.
local function events_after(events, id)
  local list, all = {}, events:last()
  local first, newest = all[1], all[#all]
  if not newest then return list end
  if id > newest.seq then id = first.seq - 1 end
  local lost = first.seq - 1 - id
  if lost > 0 then
    list[1] = { type = "gap", lost = lost, time = first.time }
  end
  for _, event in ipairs(all) do
    if event.seq > id then list[#list + 1] = event end
  end
  return list
end

local function last_events(call)
  local id = call.request.headers["last-event-id"]
  if not id or id == "" then return call.sup.events:last(call.query.n or 0) end
  if not id:find "^%d+$" then
    errors.usage("Last-Event-ID: expected a number, got %q", id)
  end
  return events_after(call.sup.events, tonumber(id))
end

local function is_meant(call, event)
  local wanted = call.query.service
  if event.type == "gap" then return true end
  if not wanted or not event.service then return not wanted end
  return event.service == wanted or event.service:match "^(.*)@%d+$" == wanted
end

function Feed:__call()
  while true do
    local event = table.remove(self.old, 1)
    if not event then event = self.follower() end
    if not event then return nil end
    if is_meant(self.call, event) then return event_text(event) end
  end
end

function Feed:__close()
  self.follower:close()
end

--- GET /v1/events: server-sent events; with follow=0 those that are remembered,
-- as a list.
function M.events(call)
  if call.query.follow == false then
    local list = {}
    for _, event in ipairs(call.sup.events:last(call.query.n)) do
      if is_meant(call, event) then list[#list + 1] = event end
    end
    return { events = plain.list(list) }
  end
  local old = last_events(call)
  local feed = keep(call.feeds, setmetatable({
    call = call, old = old, follower = call.sup.events:subscribe(),
  }, Feed))
  return { headers = {
    ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-store",
  }, chunks = feed, patient = true }, "raw"
end

-- Logs ------------------------------------------------------------------------

-- How each line is sent, by what the client takes. With several instances it is
-- said whose it is.
local function line_writer(call, several)
  local accept = call.request.headers.accept or ""
  if accept:find("application/x-ndjson", 1, true) then
    return "application/x-ndjson", function(name, line)
      return json.encode { service = name, line = line } .. "\n"
    end
  end
  return "text/plain; charset=utf-8", function(name, line)
    return several and ("%s | %s\n"):format(name, line) or line .. "\n"
  end
end

local function tails(list, n, from, write)
  local parts = {}
  for _, inst in ipairs(list) do
    for _, line in ipairs(since.lines(inst, inst.log:tail(n), from)) do
      parts[#parts + 1] = write(inst.name, line)
    end
  end
  return table.concat(parts)
end

local function follow(list, n, from, write)
  local sources = {}
  for i, inst in ipairs(list) do
    sources[i] = function(put)
      local is_new = since.filter(inst, from)
      for line in inst.log:follow(n) do
        if is_new(line) then put(write(inst.name, line)) end
      end
    end
  end
  return merge.new(sources)
end

--- GET /v1/services/{name}/logs: the last n lines, and with follow those that
-- come.
function M.logs(call)
  local list, query = acts.find(call.sup, call.name), call.query
  local kind, write = line_writer(call, #list > 1)
  local n = math.min(query.n or (query.since and MOST or LINES), MOST)
  local answer = { headers = { ["Content-Type"] = kind,
                               ["Cache-Control"] = "no-store" } }
  if query.follow then
    answer.chunks = keep(call.feeds, follow(list, n, query.since, write))
    answer.patient = true
  else
    answer.body = tails(list, n, query.since, write)
  end
  return answer, "raw"
end

return M
