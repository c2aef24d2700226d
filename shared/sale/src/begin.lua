-- Begins a confirm: from here on the hold does not expire by itself. The ledger decides what becomes
-- of it; the sweep asks the ledger once the confirm can no longer be under way. A repeat before the
-- hold's expiry has its full time, too; one after it does not put the end off.
--
-- ARGV[2] reservation id   ARGV[3] shopper   ARGV[4] deadline of a confirm in ms
-- With a receipt: ARGV[5] SKU   ARGV[6] expires_at in ms   ARGV[7] price   ARGV[8] currency
-- ARGV[9] limit   ARGV[10] epoch   ARGV[11…] serials
-- Answers {word, now, …}: BEGUN and RESUMED with the reservation, see `tell`; ORDERED likewise;
-- EXPIRED; RELEASED; CANCELLED; NO_UNIT, 1 while one may still return, else 0; RESERVATION_NOT_FOUND;
-- SALE_NOT_FOUND.
-- Cost: O(log holds); with a receipt that counts, O(bytes of the bitmap of units kept back).

-- Takes units out of quarantine: these, and for one that somebody else has another one.
local function redeem(sku, id, serials)
  local key, units = quarantine_key(sku.name), {}
  for _, unit in ipairs(serials) do
    if redis.call('GETBIT', key, unit) == 0 then unit = redis.call('BITPOS', key, 1) end
    redis.call('SETBIT', key, unit, 0)
    units[#units + 1] = unit
  end
  move(sku, 'redeemed', 'quarantined', 'held', id, units)
  return units
end

-- The hold that a receipt proves and that Redis has lost. Only a takeover loses records, and only until
-- the end of its quarantine are their units kept back; a hold of this very epoch is on record.
local function hold_of_receipt()
  if not is_in_quarantine() or not ARGV[5] or tonumber(ARGV[10]) == sale.epoch then return nil end
  local r = {id = ARGV[2], state = 'h', shopper = ARGV[3], sku = ARGV[5], expires_at = tonumber(ARGV[6]),
    price = tonumber(ARGV[7]), currency = ARGV[8], limit = tonumber(ARGV[9]), epoch = sale.epoch, units = {}}
  -- By the clock of the node that gave it, which is gone, its time may not be over yet.
  if now - skew_ms >= r.expires_at then return nil, {'EXPIRED', now} end
  local sku = load_sku(r.sku)
  if not sku then return nil end
  local serials = {}
  for i = 11, #ARGV do serials[#serials + 1] = tonumber(ARGV[i]) end
  if sku.quarantined >= #serials then
    r.units = redeem(sku, r.id, serials)
  else
    r.units = available(sku) >= #serials and take(sku, #serials)
    if not r.units then
      local fault = store_sku(sku)
      return nil, fault or {'NO_UNIT', now, (sku.held > 0 or sku.quarantined > 0) and 1 or 0}
    end
    move(sku, 'redeemed', 'available', 'held', r.id, r.units)
  end
  count(r)
  return r, store_sku(sku)
end

local missing = load_sale()
if missing then return missing end
touch_clock()
local r, refusal = load_reservation(ARGV[2]), nil
local is_on_record = r ~= nil
if not r then r, refusal = hold_of_receipt() end
if refusal then return refusal end
if not r or r.shopper ~= ARGV[3] then return {'RESERVATION_NOT_FOUND', now} end
local over_at = now + tonumber(ARGV[4]) + skew_ms
-- A limit that was raised since counts for older holds, too; one that was lowered does not.
r.limit = math.max(r.limit, sale.limit)
if r.state == 'c' then
  if now < r.expires_at then redis.call('ZADD', unsettled_key, 'GT', over_at, r.id) end
  return tell({'RESUMED', now}, r)
end
if r.state == 'o' then return tell({'ORDERED', now}, r) end
if r.state == 'k' then return {'CANCELLED', now} end
if r.state == 'r' then return {'RELEASED', now} end
if r.state == 'x' or (is_on_record and now >= r.expires_at) then return {'EXPIRED', now} end

r.state = 'c'
store_reservation(r)
redis.call('ZREM', holds_key(r.sku), r.id)
redis.call('ZADD', unsettled_key, over_at, r.id)
return tell({'BEGUN', now}, r)
