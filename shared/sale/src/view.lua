-- What anyone may see of a sale, and what the merchant's report says. Changes nothing.
--
-- Answers {word, now, …}: SALE_NOT_FOUND, or
--   VIEW  state, version, epoch, opens_at in ms or empty, closes_at in ms or empty, definition or empty,
--         reservations unsettled, size of the waiting room's record (0: it has none) and the record, see below,
--         then per SKU: name, stock, available, held, sold, quarantined,
--         withdrawn, number of its last entry in the journal or 0, 1 while conserved else 0
-- A hold whose time is over counts as available as soon as the next reserve would take it: one unit
-- each, which is exact for quantity 1 and else too low until the sweep has freed it.
-- Cost: O(SKUs × log holds).
local missing = load_sale()
if missing then return missing end

local answer = {'VIEW', now, sale_state(), sale.version, sale.epoch, sale.opens_at or '', sale.closes_at or '',
  redis.call('HGET', sale_key, 'definition') or '', redis.call('ZCARD', unsettled_key)}

-- The waiting room as it would be found now: state; when the lobby opens, in ms, or empty; size of the lobby; 1 once
-- it is drawn; hash of the seed; seed, once it is drawn; the last place; the served one in thousandths, likewise up
-- to where it may go for now; turns used and passed; places a minute, in thousandths; length of a turn in ms; 1 while
-- the door is closed; pace in thousandths; holds of those who bypassed the line; and how many had waited for how long.
if load_room() then
  advance()
  local free, state = free_units(), sale_state()
  local can_serve = state == 'open' and not room.is_paused
  local most = can_serve and free > 0 and math.max(queue.served, served_most(free)) or queue.served
  local word = 'serving'
  if state == 'ended' then word = 'ended'
  elseif queue.lobby == NOT_DRAWN then word = room.lobby_at and now < room.lobby_at and 'not_open' or 'lobby'
  elseif not can_serve then word = 'paused'
  elseif most <= queue.served and queue.served < last_place() then word = 'no_units' end
  local is_drawn = queue.lobby ~= NOT_DRAWN
  local secret = redis.call('HMGET', sale_key, 'seed_hash', 'seed')
  local function thousandths(number) return math.floor(number * 1000) end
  local size = lobby_size()
  local record = {word, room.lobby_at or '', size, is_drawn and 1 or 0, secret[1], is_drawn and secret[2] or '',
    size + queue.joined, thousandths(queue.served), thousandths(most), queue.used, math.floor(queue.passed),
    thousandths(places_per_ms() * 60000), room.turn_ms, room.is_closed and 1 or 0, thousandths(queue.pace),
    queue.bypassed}
  for _, waited in ipairs(queue.waits) do record[#record + 1] = waited end
  answer[#answer + 1] = #record
  for _, field in ipairs(record) do answer[#answer + 1] = field end
else
  answer[#answer + 1] = 0
end

for name in sale.skus:gmatch('[^,]+') do
  local sku = load_sku(name)
  local overdue = redis.call('ZCOUNT', sku.holds_key, '-inf', now - skew_ms)
  for _, field in ipairs({name, sku.stock, available(sku) + overdue, sku.held - overdue, sku.sold,
    sku.quarantined, sku.withdrawn, sku.changes, broken(sku) and 0 or 1}) do
    answer[#answer + 1] = field
  end
end
return answer
