-- Notes that an order is about to be cancelled in the ledger, so that the sweep gives its units back
-- if whoever cancels it dies in between.
--
-- ARGV[2] reservation id   ARGV[3] deadline of a cancel in ms
-- Answers {word, now}: NOTED; RESERVATION_NOT_FOUND; SALE_NOT_FOUND.
-- Cost: O(log unsettled).
local missing = load_sale()
if missing then return missing end
touch_clock()
local r = load_reservation(ARGV[2])
if not r then return {'RESERVATION_NOT_FOUND', now} end
redis.call('ZADD', unsettled_key, 'GT', now + tonumber(ARGV[3]) + skew_ms, r.id)
return {'NOTED', now}
