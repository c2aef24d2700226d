-- Gives a place in the waiting room: before the draw the shopper's lot, behind the lobby the next number. Asking for
-- another lot gives the same one; asking for another number gives a later one.
--
-- ARGV[2] shopper          ARGV[3] kind of shopper, account or guest
-- ARGV[4] requests per window (0: this attempt is not counted)   ARGV[5] window in ms
-- Answers {word, now, remaining, reset_ms, …}:
--   NUMBER          epoch, number behind the lobby; 0 for whom the merchant lets pass the line
--   LOT             epoch
--   THROTTLED       retry_after_ms
--   NO_ROOM         whoever wants may reserve at once
--   NOT_OPEN        when the lobby opens, in ms
--   PAUSED, ENDED, DOOR_CLOSED, SALE_NOT_FOUND, KIND_REFUSED
--   SOLD_OUT        and no unit may return
-- Cost: O(SKUs); once in 100 ms O(SKUs × log holds).
local shopper, kind, quota, window_ms = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

local missing = load_sale()
if missing then return missing end
touch_clock()
local may_go_on, remaining, reset_ms = take_token(shopper, quota, window_ms, false)
if not may_go_on then return {'THROTTLED', now, 0, remaining, reset_ms} end
local function answer(word, ...) return {word, now, remaining, reset_ms, ...} end

if not load_terms() then return answer('NO_ROOM') end
if not sale.shoppers:find(kind, 1, true) then return answer('KIND_REFUSED') end
local state = sale_state()
if state == 'ended' then return answer('ENDED') end
if state == 'paused' then return answer('PAUSED') end
if may_bypass(shopper) then return answer('NUMBER', sale.epoch, 0) end
if room.is_closed then return answer('DOOR_CLOSED') end
-- Numbers are given, and a moment ago somebody moved the queue on: then its record has nothing to tell, and to read it would
-- take as long as all the rest.
local is_up_to_date = room.joined and room.moved_at and now - room.moved_at < STEP_MS
local joined = room.joined
if not is_up_to_date then
  load_queue()
  joined = queue.joined
  advance()
  if queue.lobby == NOT_DRAWN then
    if room.lobby_at and now < room.lobby_at then return answer('NOT_OPEN', room.lobby_at) end
    redis.call('PFADD', lobby_key, shopper)
    store_queue()
    return answer('LOT', sale.epoch)
  end
  store_queue()
end

-- Whoever came now would wait for nothing.
local is_sold_out = true
for name in sale.skus:gmatch('[^,]+') do
  local v = redis.call('HMGET', sku_key(name), 'stock', 'sold')
  is_sold_out = is_sold_out and tonumber(v[1]) == tonumber(v[2])
end
if is_sold_out then return answer('SOLD_OUT') end
local number = joined + 1
redis.call('HSET', sale_key, 'joined', number)
return answer('NUMBER', sale.epoch, number)
