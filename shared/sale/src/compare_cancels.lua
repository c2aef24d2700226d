-- Names cancelled orders to the sweep of whose cancel Redis does not know, after a failover or a takeover that has lost it:
-- their units may be sold here and nobody's in the ledger, and a repeat of their wish is to be told that it was cancelled.
-- Pages of a sale's orders follow one another; the first one begins anew.
--
-- ARGV[2] lineage in which the ledger was read   ARGV[3] where the page begins, empty for the first one
-- ARGV[4] where the next page begins, or `all` after the last
-- ARGV[5…] reservation ids of the cancelled orders on it
-- Answers {word, now, …}: COMPARED, and how many cancels Redis had lost; STALE, this page is not the next one;
-- SALE_NOT_FOUND.
-- Cost: O(cancelled orders × log unsettled).
local missing = load_sale()
if missing then return missing end
touch_clock()
local from = ARGV[3]
local compared = redis.call('HGET', sale_key, 'cancels_compared')
if ARGV[2] ~= lineage or (from ~= '' and compared ~= lineage .. ':' .. from) then
  return {'STALE', now}
end

local lost = 0
for i = 5, #ARGV do
  local r = load_reservation(ARGV[i])
  if not r or r.state ~= 'k' then
    redis.call('ZADD', unsettled_key, 'GT', now, ARGV[i])
    lost = lost + 1
  end
end
redis.call('HSET', sale_key, 'cancels_compared', lineage .. ':' .. ARGV[4])
return {'COMPARED', now, lost}
