-- Begins a confirm: from here on the hold does not expire by itself. The ledger decides what becomes
-- of it; the sweep asks the ledger once the confirm can no longer be under way. A repeat before the
-- hold's expiry has its full time, too; one after it does not put the end off.
--
-- ARGV[2] reservation id   ARGV[3] shopper   ARGV[4] deadline of a confirm in ms
-- Answers {word, now, …}: BEGUN and RESUMED with the reservation, see `tell`; ORDERED likewise;
-- EXPIRED; RELEASED; CANCELLED; RESERVATION_NOT_FOUND; SALE_NOT_FOUND.
-- Cost: O(log holds).
local missing = load_sale()
if missing then return missing end
touch_clock()
local r = load_reservation(ARGV[2])
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
if r.state == 'x' or now >= r.expires_at then return {'EXPIRED', now} end

r.state = 'c'
store_reservation(r)
redis.call('ZREM', holds_key(r.sku), r.id)
redis.call('ZADD', unsettled_key, over_at, r.id)
return tell({'BEGUN', now}, r)
