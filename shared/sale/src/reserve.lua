-- Holds units for one shopper: window, rate, repeat, limit and stock, decided in one step.
--
-- ARGV[2] reservation id   ARGV[3] shopper   ARGV[4] kind of shopper, account or guest
-- ARGV[5] SKU              ARGV[6] quantity
-- ARGV[7] requests per window (0: this attempt is not counted)   ARGV[8] window in ms
-- ARGV[9] ticket: number, behind the lobby; lot, of the lobby; or empty
-- ARGV[10] its epoch       ARGV[11] its number, or the place that its lot has
-- ARGV[12] the size of the lobby for which it has that place   ARGV[13] when it was given, in ms, or 0
-- Answers {word, now, remaining, reset_ms, …}:
--   HELD, REPEATED  the reservation, see `tell`
--   KEY_REUSED      this key was used for another SKU or quantity
--   THROTTLED       retry_after_ms
--   TICKET_MISSING  the sale has a waiting room
--   DRAW            size of the lobby and seed: of which place this lot is, must be said first
--   NOT_YOUR_TURN   place, places ahead
--   TURN_PASSED, TICKET_USED
--   NOT_OPEN        opens_at in ms, or nothing while no time is set
--   PAUSED, ENDED, SALE_NOT_FOUND, SKU_NOT_FOUND, KIND_REFUSED
--   LIMIT_REACHED   limit, and the latest reservation that counts
--   SOLD_OUT        1 while units may return, else 0
--   UNSEEDED        a takeover keeps the units back that would be next
-- Cost: O(log holds) per unit, and with a waiting room per SKU.
local id, shopper, kind, wanted = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local quantity, quota, window_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

local missing = load_sale()
if missing then return missing end
touch_clock()

-- A repeat is counted, too, but never refused: it may be our own, of an attempt whose answer was lost.
local known = load_reservation(id)
local may_go_on, remaining, reset_ms = take_token(shopper, quota, window_ms, known)
if not may_go_on then return {'THROTTLED', now, 0, remaining, reset_ms} end
local function answer(word, ...) return {word, now, remaining, reset_ms, ...} end

-- A repeat gets its first answer, whatever has become of the sale since.
if known then
  if known.sku ~= wanted or #known.units ~= quantity then return answer('KEY_REUSED') end
  return tell(answer('REPEATED'), known)
end

if not sale.shoppers:find(kind, 1, true) then return answer('KIND_REFUSED') end
local state = sale_state()
if state == 'announced' then return answer('NOT_OPEN', sale.opens_at or '') end
if state == 'paused' then return answer('PAUSED') end
if state == 'ended' then return answer('ENDED') end

-- The turn. Whoever holds by a ticket may hold more by it, up to the limit, while its turn lasts; when nothing is
-- left of what they held, the ticket is used up. Whom the merchant lets pass the line needs none.
local place
local has_room = load_room()
local bypasses = has_room and may_bypass(shopper)
if has_room and not bypasses then
  if has_no_ticket(9) then return answer('TICKET_MISSING') end
  advance()
  store_queue()
  place = place_by_ticket(9)
  if not place then return answer('DRAW', drawn()) end
  local turn, ahead = turn_of(place)
  if turn == 'WAITING' then return answer('NOT_YOUR_TURN', place, ahead) end
  if turn == 'PASSED' then return answer('TURN_PASSED') end
end

local sku = load_sku(wanted)
if not sku then return answer('SKU_NOT_FOUND') end
local fault = broken(sku)
if fault then return fault end

-- The limit. A hold of this shopper whose time is over does not count, and is freed on the way.
local counted = load_shopper(shopper)
local is_used = place and has_used(place, shopper)
if is_used and #counted == 0 then return answer('TICKET_USED') end
local function held_units()
  local units = 0
  for i = 2, #counted, 2 do units = units + counted[i] end
  return units
end
if held_units() + quantity > sale.limit then
  for i = 1, #counted, 2 do
    local r = load_reservation(counted[i])
    if r and r.state == 'h' and now - skew_ms >= r.expires_at then
      local its_sku = r.sku == wanted and sku or load_sku(r.sku)
      end_hold(its_sku, r, 'x')
      fault = store_sku(its_sku)
      if fault then return fault end
    end
  end
  counted = load_shopper(shopper)
  if held_units() + quantity > sale.limit then
    return answer('LIMIT_REACHED', sale.limit, counted[#counted - 1] or '')
  end
end

while available(sku) < quantity do
  if free_overdue(sku, quantity) == 0 then break end
end
local units = available(sku) >= quantity and take(sku, quantity)
if not units then
  fault = store_sku(sku)
  if fault then return fault end
  -- What a takeover keeps back may be this shopper's own: nobody is sent away for good.
  if is_in_quarantine() and sku.quarantined > 0 then return answer('UNSEEDED') end
  return answer('SOLD_OUT', (sku.held > 0 or sku.quarantined > 0) and 1 or 0)
end

move(sku, 'held', 'available', 'held', id, units)
local r = {id = id, state = 'h', shopper = shopper, sku = wanted, expires_at = now + sale.hold_ms,
  price = sku.price, currency = sale.currency, limit = sale.limit, epoch = sale.epoch, units = units}
store_reservation(r)
redis.call('ZADD', sku.holds_key, r.expires_at, id)
count(r)
if place and not is_used then
  use_turn(place, shopper)
  local given_at = tonumber(ARGV[13])
  if given_at > 0 then note_wait(given_at) end
  store_queue()
end
if bypasses then
  queue.bypassed, is_changed = queue.bypassed + 1, true
  store_queue()
end
fault = store_sku(sku)
if fault then return fault end
return tell(answer('HELD'), r)
