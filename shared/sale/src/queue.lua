-- What the scripts of a waiting room share. It keeps one record per sale, however many wait, and in the sale's own
-- hash how many tickets were given behind the lobby:
--   :queue        string       `queue` below
--   :lobby        HyperLogLog  the shoppers in the lobby, until the draw
--   :t:<shopper>  string       the last place by which a shopper has held; ends a day after the sale's end
--   :bypass       set          shoppers whom the merchant lets pass the line
--
-- A place is a number: those of the lobby by lot, 1 to `lobby`, and behind them one each in the order of
-- arrival. `served` is the highest place whose turn has begun. It grows with serving time, which stands still
-- while the sale is not open, while serving is paused, while no unit is available, from the last look of a master to
-- the first one of the next, and in gaps in which nobody looked; and never are more turns open than units are
-- available.
local QUEUE_FORMAT = '\1'
local STEP_MS, GAP_MS_MAX = 100, 5000
-- How many marks a turn has, and all turns together, whatever their lengths.
local MARKS_PER_TURN, MARKS_MAX = 16, 64
local NOT_DRAWN, FIRST_EPOCH = -1, 1
-- Waits are counted in steps of a fourth of a power of two seconds, of which the last is a day and more.
local WAIT_STEPS, WAIT_STEP_MAX = 4, 66

local queue_key, lobby_key = sale_key .. ':queue', sale_key .. ':lobby'
local bypass_key = sale_key .. ':bypass'
local function turn_key(shopper) return sale_key .. ':t:' .. shopper end

-- `room`: what the merchant says. `queue`: at what instant (ms) and serving time (ms) it was last moved on;
-- `served`; tickets `joined` behind the lobby; size of the lobby once drawn; what was `seen` of it before, and how many
-- of these Redis has `lost`; turns used and passed; holds of those who `bypassed` the line; `waits`: how many of those who held had waited for how
-- long, by the steps of `note_wait`; `pace`, the share of the merchant's rate; the `lineage` in which it was moved on;
-- marks {serving time, served, used since then, length of these turns in ms, or HAS_PASSED}, oldest first, as far back
-- as a turn lasts; and of epochs that have ended, one after the other, the epoch and the tickets joined by then.
local HAS_PASSED = 0
local room, queue
local is_changed, is_drawn_now = false, false

local function unpack_queue(stored)
  if stored:sub(1, 1) ~= QUEUE_FORMAT then error(redis.error_reply('BROKEN unknown record format of a queue')) end
  return cmsgpack.unpack(stored:sub(2))
end

-- How many lots there must be taken to be of which no record tells: after a takeover somebody may have one, and it must
-- come to a place that is served.
local function fewest_lost(epoch)
  return epoch > FIRST_EPOCH and 1 or 0
end

-- What the merchant says of the waiting room, and how many tickets were given behind the lobby as far as Redis counts them;
-- false where the sale has none.
local function load_terms()
  if not sale.rate then return false end
  local v = redis.call('HMGET', sale_key, 'turn_ms', 'lobby_at', 'serving_paused', 'door_closed', 'serve_to', 'joined',
    'moved_at')
  room = {rate = sale.rate, turn_ms = tonumber(v[1]), lobby_at = tonumber(v[2]), is_paused = v[3] == '1',
    is_closed = v[4] == '1', serve_to = tonumber(v[5]), joined = tonumber(v[6]), moved_at = tonumber(v[7])}
  return true
end

local function load_queue()
  local stored = redis.call('GET', queue_key)
  queue = stored and unpack_queue(stored) or {at = now, time = 0, served = 0, joined = 0, lobby = NOT_DRAWN, seen = 0,
    used = 0, passed = 0, pace = 1, marks = {{0, 0, 0, room.turn_ms}}, epochs = {}, epoch = sale.epoch,
    lineage = lineage, lost = fewest_lost(sale.epoch)}
  -- A record of an earlier version has none of these.
  queue.bypassed, queue.waits, queue.lost = queue.bypassed or 0, queue.waits or {}, queue.lost or 0
  -- After a takeover the record alone knows of tickets.
  queue.joined = room.joined or queue.joined
end

-- The waiting room, or false where the sale has none.
local function load_room()
  if not load_terms() then return false end
  load_queue()
  return true
end

local function stored_queue()
  return QUEUE_FORMAT .. cmsgpack.pack(queue)
end

-- A record of an earlier epoch, to go on with in this one: whoever has a ticket already stays ahead of whoever comes.
local function restored(stored, epoch)
  local record = unpack_queue(stored)
  if record.epoch < epoch then
    table.insert(record.epochs, record.epoch)
    table.insert(record.epochs, record.joined)
    record.epoch, record.lost = epoch, math.max(record.seen, fewest_lost(epoch))
  end
  record.at = now
  queue = record
  return stored_queue()
end

local function store_queue()
  if is_changed then
    redis.call('SET', queue_key, stored_queue())
    -- Also where `join.lua` sees it without the record.
    redis.call('HSET', sale_key, 'moved_at', queue.at)
  end
  if is_drawn_now then redis.call('DEL', lobby_key) end
end

-- Whether reserving has begun, whatever has become of the sale since.
local function has_opened()
  return sale.version > 0 and sale.opens_at and now >= sale.opens_at
end

-- The size of the lobby so far: an estimate, as a HyperLogLog gives it, and after a takeover those who were there before.
-- Who of them comes again is counted twice: an empty place passes, a place for two would not.
local function lobby_size()
  if queue.lobby ~= NOT_DRAWN then return queue.lobby end
  return queue.lost + redis.call('PFCOUNT', lobby_key)
end

-- The draw: from now on the lobby has a size, and with the seed every lot is a place.
local function draw()
  queue.lobby = lobby_size()
  is_changed, is_drawn_now = true, true
end

local function last_place()
  return math.max(queue.lobby, 0) + queue.joined
end

-- Units that somebody whose turn it is can have now. Overdue holds count, one unit each.
local function free_units()
  local free = 0
  for name in sale.skus:gmatch('[^,]+') do
    local sku = load_sku(name)
    free = free + available(sku) + redis.call('ZCOUNT', sku.holds_key, '-inf', now - skew_ms)
  end
  return free
end

-- Turns that were given, neither used nor passed. A part of a number counts as that part of a turn.
local function open_turns()
  local open, marks = 0, queue.marks
  for i, mark in ipairs(marks) do
    if mark[4] ~= HAS_PASSED then
      local served = marks[i + 1] and marks[i + 1][2] or queue.served
      open = open + math.max(0, served - mark[2] - mark[3])
    end
  end
  return open
end

-- The turns from a mark to the next one have passed when that is a whole turn ago: what is served in a sixteenth of a
-- turn at most passes together. Passed marks are one, and none at the front: only where turns have become shorter
-- do some last longer than those behind them.
local function drop_passed_turns()
  local marks = queue.marks
  for i = #marks - 1, 1, -1 do
    local mark, after = marks[i], marks[i + 1]
    if mark[4] ~= HAS_PASSED and after[1] + mark[4] <= queue.time then
      queue.passed = queue.passed + math.max(0, after[2] - mark[2] - mark[3])
      mark[4] = HAS_PASSED
    end
    if mark[4] == HAS_PASSED and after[4] == HAS_PASSED then table.remove(marks, i + 1) end
  end
  if marks[1][4] == HAS_PASSED then table.remove(marks, 1) end
end

-- A mark for the turns that begin from now on, now and then, and where they have another length. Where there are too many
-- the last one goes on: by the longer of both, since no turn ends early.
local function mark_time()
  local marks = queue.marks
  local last = marks[#marks]
  local is_due = queue.time - last[1] >= room.turn_ms / MARKS_PER_TURN
  if not is_due and last[4] == room.turn_ms then return end
  if #marks < MARKS_MAX then
    marks[#marks + 1] = {queue.time, math.floor(queue.served), 0, room.turn_ms}
  else
    last[4] = math.max(last[4], room.turn_ms)
  end
end

-- Up to which place may be served: tickets that exist, and no more open turns than units. A share of a place is
-- kept for whoever comes next.
local function served_most(free)
  return math.min(last_place() + 0.999, queue.served + math.max(0, free - open_turns()))
end

local function places_per_ms()
  return room.rate * queue.pace / 60000
end

-- Moves the queue on to this instant. That is written ten times a second at most, or with whatever else has changed.
local function advance()
  if queue.lobby == NOT_DRAWN and has_opened() then draw() end
  local at, is_promoted = queue.at, queue.lineage ~= lineage
  queue.at, queue.lineage, is_changed = now, lineage, is_changed or now - at >= STEP_MS
  queue.served = math.max(queue.served, math.min(room.serve_to, last_place()))
  if sale_state() ~= 'open' or room.is_paused then return end
  local free = free_units()
  if free <= 0 then return end
  local ms = is_promoted and 0 or math.min(now - math.max(at, sale.opens_at), GAP_MS_MAX)
  queue.time = queue.time + ms
  mark_time()
  drop_passed_turns()
  queue.served = math.max(queue.served, math.min(queue.served + places_per_ms() * ms, served_most(free)))
end

-- The place of a ticket that was given behind the lobby. Of an epoch that has ended nobody knows the last few
-- tickets: they share the last place that is known, ahead of everybody who came later.
local function place_of(epoch, number)
  if epoch < sale.epoch then
    local last = 0
    for i = 1, #queue.epochs, 2 do
      if queue.epochs[i] == epoch then last = queue.epochs[i + 1] end
    end
    number = math.min(number, last)
  end
  return math.max(1, math.max(queue.lobby, 0) + number)
end

-- Whether no ticket begins at this argument. The number 0 is the ticket of somebody who may pass the line, and is
-- worth nothing to anybody else.
local function has_no_ticket(i)
  return ARGV[i] == '' or (ARGV[i] == 'number' and ARGV[i + 2] == '0')
end

-- The place of the ticket that begins at this argument: number or lot, its epoch, its number or the place of the lot,
-- the size of the lobby for which it has that place. Nil where the lot's place has to be worked out first.
local function place_by_ticket(i)
  if ARGV[i] == 'number' then return place_of(tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])) end
  if ARGV[i + 3] == tostring(queue.lobby) then return tonumber(ARGV[i + 2]) end
end

-- Of what a lot's place is worked out.
local function drawn()
  return queue.lobby, redis.call('HGET', sale_key, 'seed')
end

-- Whose turn it is: WAITING with the places ahead; SERVED with the serving time that is left, in ms; PASSED.
local function turn_of(place)
  if place > math.floor(queue.served) then return 'WAITING', math.ceil(place - queue.served) - 1 end
  local marks = queue.marks
  if place <= marks[1][2] then return 'PASSED', 0 end
  local since, length = queue.time, marks[#marks][4]
  for i = #marks, 2, -1 do
    if place <= marks[i][2] then since, length = marks[i][1], marks[i - 1][4] end
  end
  if length == HAS_PASSED then return 'PASSED', 0 end
  return 'SERVED', math.floor(since + length - queue.time)
end

local function may_bypass(shopper)
  return redis.call('SISMEMBER', bypass_key, shopper) == 1
end

-- Notes how long somebody has waited from their ticket, or from the opening if that came later, to their hold.
local function note_wait(given_at)
  local seconds = math.max(now - math.max(given_at, sale.opens_at), 1) / 1000
  local step = math.ceil(WAIT_STEPS * math.log(seconds) / math.log(2))
  step = math.min(math.max(step, 0), WAIT_STEP_MAX)
  for i = #queue.waits, step do queue.waits[i + 1] = 0 end
  queue.waits[step + 1] = queue.waits[step + 1] + 1
end

-- Whether this shopper has held by this place, or by one behind it. Otherwise of two tickets the one would be good
-- again when the other is used.
local function has_used(place, shopper)
  return place <= (tonumber(redis.call('GET', turn_key(shopper))) or 0)
end

-- Notes that this turn has become a hold.
local function use_turn(place, shopper)
  local marks = queue.marks
  for i = #marks, 1, -1 do
    if place > marks[i][2] then
      marks[i][3] = marks[i][3] + 1
      break
    end
  end
  queue.used, is_changed = queue.used + 1, true
  redis.call('SET', turn_key(shopper), place, 'PXAT', math.max(sale.closes_at, now) + RETENTION_MS)
end
